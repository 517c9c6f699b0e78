"""The program as it was: the last release, or before there is one, what stood before the newest migration."""

import subprocess
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Final

import pytest

_ROOT: Final = Path(__file__).parents[2]


def unpack(folder: Path) -> str:
    """Put the earlier program into `folder`, and return its commit; skips the test where git cannot tell."""
    commit = _git("describe", "--tags", "--abbrev=0") or _before_newest_migration()
    archive = commit and _run("archive", commit, "scheduler", "sql", "tests")
    if not archive:
        pytest.skip("there is no git history here to take an earlier program from")
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    return commit


def _before_newest_migration() -> str:
    newest = max((_ROOT / "sql").glob("*.sql")).name
    landed = _git("log", "--diff-filter=A", "--format=%H", "--max-count=1", "--", f"sql/{newest}")
    return _git("rev-parse", "--verify", "--quiet", f"{landed}^" if landed else "HEAD")


def _git(*words: str) -> str:
    return _run(*words).decode().strip()


def _run(*words: str) -> bytes:
    """What git says; nothing where there is no git, no repository, or not that much history."""
    try:
        return subprocess.run(["git", *words], cwd=_ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return b""
