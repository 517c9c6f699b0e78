"""Real disks that are full, or read-only: nothing is half written, and the error says what to do."""

import os
import shutil
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from scheduler.domain.errors import PermanentError, TaskError
from tests.integration.tasks.running import Bench

DISK_BYTES = 64 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Generator[Path]:
    """A file system of DISK_BYTES."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"nothing can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.parametrize("mode", ["overwrite", "append", "create"])
def test_on_a_full_disk_a_file_stays_as_it_was_and_another_attempt_may_find_room(disk: Path, mode: str) -> None:
    bench = Bench(roots=(disk,))
    name = "new" if mode == "create" else "kept"
    bench.run_alone("write_file", {"path": "kept", "content": "old"})
    with pytest.raises(TaskError, match="disk is full") as caught:
        bench.run_alone("write_file", {"path": name, "content": "x" * 2 * DISK_BYTES, "mode": mode})
    assert not isinstance(caught.value, PermanentError)
    assert {each.name: each.read_text() for each in disk.iterdir()} == {"kept": "old"}
    bench.run_alone("write_file", {"path": name, "content": "fits"})
    assert (disk / name).read_text() == "fits"


@pytest.mark.parametrize(
    ("task_type", "data"),
    [
        ("write_file", {"path": "kept", "content": "new"}),
        ("write_file", {"path": "folder/new", "content": "new"}),
        ("create_folder", {"path": "folder"}),
    ],
)
def test_on_a_read_only_disk_no_attempt_will_do_better(disk: Path, task_type: str, data: dict[str, str]) -> None:
    bench = Bench(roots=(disk,))
    bench.run_alone("write_file", {"path": "kept", "content": "old"})
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with pytest.raises(PermanentError, match="read-only"):
        bench.run_alone(task_type, {**data})
    assert bench.run_alone("read_file", {"path": "kept"})["content"] == "old"
    assert [each.name for each in disk.iterdir()] == ["kept"]
