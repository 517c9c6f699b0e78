"""File tasks where the file system refuses: no room for a name, no right to write, no growing, no such names."""

import errno
import os
import resource
import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scheduler.domain.errors import PermanentError, TaskError
from tests.integration.tasks.running import Bench, leftovers

PART = "x" * 10_000


@contextmanager
def mounted(folder: Path, options: str) -> Generator[None]:
    """A small file system of its own there; skips where that is not ours to make."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=False, capture_output=True, text=True
    )
    if made.returncode:
        pytest.skip(f"no file system may be mounted here: {made.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def refusal(bench: Bench, path: str, *, mode: str, content: str = PART) -> TaskError:
    """What writing there fails with."""
    with pytest.raises(TaskError) as caught:
        bench.call("write_file", {"path": path, "content": content, "mode": mode})
    assert caught.value.type == "workspace"
    return caught.value


def test_a_disk_without_room_for_another_name(bench: Bench, root: Path) -> None:
    with mounted(root, "size=1m,nr_inodes=3"):
        bench.call("write_file", {"path": "one", "content": "1"})
        bench.call("create_folder", {"path": "folder"})
        for path in ("two", "folder/two", "another/two"):
            error = refusal(bench, path, mode="create")
            assert not isinstance(error, PermanentError)
            assert "the disk is full" in str(error)
        assert leftovers(root) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_the_right_to_write(bench: Bench, root: Path) -> None:
    root.mkdir(parents=True)
    root.chmod(0o500)
    error = refusal(bench, "new", mode="create")
    assert isinstance(error, PermanentError)
    assert "let the executor's user write there" in str(error)
    assert [*root.iterdir()] == []


def test_a_file_beyond_the_limit_of_the_process(bench: Bench, root: Path) -> None:
    bench.call("write_file", {"path": "log", "content": "old"})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        errors = [refusal(bench, "log", mode=mode) for mode in ("overwrite", "append")]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    for error in errors:
        assert isinstance(error, PermanentError)
        assert "limits allow: write less" in str(error)
        assert isinstance(error.__cause__, OSError)
        assert error.__cause__.errno == errno.EFBIG
    assert (root / "log").read_text() == "old"
    assert leftovers(root) == []


@pytest.mark.parametrize("name", ["x" * 256, "ß" * 128, "a/" + "y" * 300 + "/b"])
def test_names_that_the_file_system_refuses(bench: Bench, root: Path, name: str) -> None:
    error = refusal(bench, name, mode="create")
    assert isinstance(error, PermanentError)
    assert "too long for the file system: shorten it" in str(error)
    assert [each for each in root.rglob("*") if not each.is_dir()] == []
