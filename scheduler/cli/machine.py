"""What a measurement was made on: without it, a number says nothing."""

import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Final

import scheduler
from scheduler.domain.job import JsonObject

_CHECKOUT: Final = Path(scheduler.__file__).resolve().parents[1]


def machine() -> JsonObject:
    """Cores that this process may use, platform and Python."""
    return {"cores": _cores(), "platform": platform.platform(), "python": platform.python_version()}


def commit() -> str | None:
    """The commit of the checkout that this program runs from, `-dirty` when it was edited; None outside of one."""
    git = shutil.which("git")
    if git is None or not (_CHECKOUT / ".git").exists():
        return None
    describe = [git, "-C", str(_CHECKOUT), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    answer = subprocess.run(describe, capture_output=True, text=True, check=False)  # noqa: S603 - no input in it
    return answer.stdout.strip() or None


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
