"""`create_folder` and `write_file` on a real file system: whole or not at all, and nothing outside the workspace."""

import base64
import errno
import os
import socket
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from scheduler.domain.errors import InvalidInput, PermanentError, TaskError
from scheduler.domain.job import JsonObject
from scheduler.tasks.files import MAX_FILE_BYTES
from scheduler.tasks.write_file import MAX_CONTENT_BYTES
from tests.integration.tasks.running import Bench, leftovers, untouched


def test_a_folder_is_made_with_its_parents_and_again_is_a_success(bench: Bench, root: Path) -> None:
    assert bench.run_alone("create_folder", {"path": "a/b/./c"}) == {"path": str(root / "a/b/c"), "created": True}
    assert (root / "a/b/c").is_dir()
    assert bench.run_alone("create_folder", {"path": str(root / "a/b/c")})["created"] is False


def test_the_root_itself_is_made_at_first_use(bench: Bench, root: Path) -> None:
    assert not root.exists()
    assert bench.run_alone("create_folder", {"path": str(root)}) == {"path": str(root), "created": True}
    assert bench.run_alone("create_folder", {"path": "."})["created"] is False


def test_each_root_is_reached_by_its_absolute_path(tmp_path: Path) -> None:
    bench = Bench(roots=(tmp_path / "one", tmp_path / "two"))
    bench.run_alone("write_file", {"path": str(tmp_path / "two" / "x"), "content": "2"})
    bench.run_alone("write_file", {"path": "x", "content": "1"})
    assert ((tmp_path / "one/x").read_text(), (tmp_path / "two/x").read_text()) == ("1", "2")


def test_a_file_is_written_and_overwritten(bench: Bench, root: Path) -> None:
    assert bench.run_alone("write_file", {"path": "a/b.txt", "content": "é"}) == {
        "path": str(root / "a/b.txt"),
        "bytes": 2,
    }
    (root / "a/b.txt").chmod(0o640)
    raw = bytes(range(256))
    data: JsonObject = {"path": "a/b.txt", "content": base64.b64encode(raw).decode(), "encoding": "base64"}
    assert bench.run_alone("write_file", data)["bytes"] == 256
    assert (root / "a/b.txt").read_bytes() == raw
    assert stat.S_IMODE((root / "a/b.txt").stat().st_mode) == 0o640
    assert leftovers(root) == []


def test_append_keeps_what_was_there(bench: Bench, root: Path) -> None:
    for line in ("one\n", "two\n"):
        bench.run_alone("write_file", {"path": "log", "content": line, "mode": "append"})
    assert (root / "log").read_text() == "one\ntwo\n"


def test_appends_at_the_same_moment_lose_nothing(bench: Bench, root: Path) -> None:
    def append(number: int) -> None:
        bench.run_alone("write_file", {"path": "log", "content": f"{number}\n", "mode": "append"})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(append, range(60)))
    assert sorted((root / "log").read_text().split(), key=int) == [str(number) for number in range(60)]


def test_create_refuses_a_file_that_exists(bench: Bench, root: Path) -> None:
    data: JsonObject = {"path": "new", "content": "first", "mode": "create"}
    bench.run_alone("write_file", data)
    with pytest.raises(PermanentError, match="exists already") as caught:
        bench.run_alone("write_file", data | {"content": "second"})
    assert caught.value.type == "workspace"
    assert (root / "new").read_text() == "first"
    assert leftovers(root) == []


def test_of_many_that_create_at_the_same_moment_one_does(bench: Bench, root: Path) -> None:
    def create(number: int) -> bool:
        with suppress(PermanentError):
            bench.run_alone("write_file", {"path": "new", "content": str(number), "mode": "create"})
            return True
        return False

    with ThreadPoolExecutor(8) as pool:
        made = [number for number, done in enumerate(pool.map(create, range(24))) if done]
    assert [str(number) for number in made] == [(root / "new").read_text()]


def test_create_replaces_no_file_that_someone_else_makes_meanwhile(
    bench: Bench, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = os.fsync

    def sync_while_another_writes(descriptor: int) -> None:
        (root / "new").write_text("theirs")
        sync(descriptor)

    root.mkdir(parents=True)
    monkeypatch.setattr(os, "fsync", sync_while_another_writes)
    with pytest.raises(PermanentError, match="meanwhile"):
        bench.run_alone("write_file", {"path": "new", "content": "ours", "mode": "create"})
    assert (root / "new").read_text() == "theirs"


def test_missing_parents_are_an_error_when_they_shall_not_be_made(bench: Bench, root: Path) -> None:
    with pytest.raises(PermanentError, match="make_parents"):
        bench.run_alone("write_file", {"path": "a/b", "content": "", "make_parents": False})
    assert [*root.iterdir()] == []


ESCAPES: list[Callable[[Path], str]] = [
    lambda outside: str(outside / "x"),
    lambda _: "../outside/x",
    lambda _: "a/../../outside/x",
    lambda _: "/etc/x",
    lambda outside: f"{outside.parent}/deep/workspace/../../outside/x",
    lambda outside: f"{outside.parent}/deep/workspace-twin/x",
    lambda _: "link/x",
    lambda _: "link/secret",
    lambda _: "folder/link/x/y",
    lambda _: "file-link",
    lambda _: "dangling",
    lambda _: "file/x",
]


@pytest.mark.parametrize("escape", ESCAPES)
@pytest.mark.parametrize("mode", ["overwrite", "append", "create"])
def test_nothing_outside_is_touched(
    bench: Bench, root: Path, outside: Path, escape: Callable[[Path], str], mode: str
) -> None:
    bench.run_alone("write_file", {"path": "file", "content": "file"})
    (root / "folder").mkdir()
    (root / "link").symlink_to(outside)
    (root / "folder/link").symlink_to(outside)
    (root / "file-link").symlink_to(outside / "secret")
    (root / "dangling").symlink_to(outside / "x")
    path = escape(outside)
    with pytest.raises(PermanentError) as caught:
        bench.run_alone("write_file", {"path": path, "content": "stolen", "mode": mode})
    assert caught.value.type == "workspace"
    with pytest.raises(PermanentError):
        bench.run_alone("create_folder", {"path": path})
    assert untouched(outside)
    assert (root / "file").read_text() == "file"
    assert leftovers(root) == []


def test_only_regular_files_are_replaced(bench: Bench, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "folder").mkdir(parents=True)
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(root)  # a socket's path must be short
        listener.bind("socket")
    for name in ("folder", "fifo", "socket"):
        for mode in ("overwrite", "append", "create"):
            with pytest.raises(PermanentError, match="not a regular file"):
                bench.run_alone("write_file", {"path": name, "content": "x", "mode": mode})
    with pytest.raises(PermanentError, match="the workspace itself"):
        bench.run_alone("write_file", {"path": ".", "content": "x"})


def test_a_name_that_is_too_long_is_said_so(bench: Bench) -> None:
    with pytest.raises(PermanentError, match="too long"):
        bench.run_alone("write_file", {"path": "x" * 300, "content": ""})
    with pytest.raises(PermanentError, match="too long"):
        bench.run_alone("create_folder", {"path": "x" * 300})


def test_a_full_disk_is_worth_another_attempt_and_leaves_the_old_file(
    bench: Bench, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.run_alone("write_file", {"path": "x", "content": "old"})

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TaskError, match="disk is full") as caught:
        bench.run_alone("write_file", {"path": "x", "content": "new"})
    assert not isinstance(caught.value, PermanentError)
    assert (root / "x").read_text() == "old"
    assert leftovers(root) == []


@pytest.mark.parametrize(
    ("code", "kind", "advice"),
    [
        (errno.ENOSPC, TaskError, "disk is full"),
        (errno.EDQUOT, TaskError, "quota"),
        (errno.EIO, TaskError, "error"),
        (errno.EROFS, PermanentError, "read-only"),
        (errno.EACCES, PermanentError, "permission denied"),
        (errno.EFBIG, PermanentError, "larger"),
        (errno.EINVAL, PermanentError, "such a name"),
        (errno.EILSEQ, PermanentError, "such a name"),
    ],
)
def test_what_the_file_system_refuses_is_explained(
    bench: Bench, root: Path, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[TaskError], advice: str
) -> None:
    root.mkdir(parents=True)
    real = os.open

    def refuse(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if flags & os.O_CREAT:
            raise OSError(code, os.strerror(code))
        return real(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(TaskError, match=advice) as caught:
        bench.call("write_file", {"path": "x", "content": "new"})
    assert (type(caught.value), caught.value.type) == (kind, "workspace")
    assert [*root.iterdir()] == []


def test_a_file_does_not_grow_without_end(bench: Bench, root: Path) -> None:
    root.mkdir(parents=True)
    with (root / "log").open("wb") as sparse:
        sparse.truncate(MAX_FILE_BYTES)
    with pytest.raises(PermanentError, match="grow beyond"):
        bench.call("write_file", {"path": "log", "content": "x", "mode": "append"})
    assert leftovers(root) == []
    bench.call("write_file", {"path": "log", "content": "x"})
    assert (root / "log").read_text() == "x"


def test_content_has_a_limit(bench: Bench) -> None:
    with pytest.raises(InvalidInput, match="in several parts"):
        bench.call("write_file", {"path": "x", "content": "x" * (MAX_CONTENT_BYTES + 1)})


@pytest.mark.parametrize(
    "data",
    [
        {"path": "", "content": ""},
        {"path": "a\x00b", "content": ""},
        {"path": "\ud800", "content": ""},
        {"path": "a", "content": "\ud800"},
        {"path": "a", "content": "not base64!", "encoding": "base64"},
        {"path": "a", "content": "é", "encoding": "base64"},
        {"path": "a", "content": "", "mode": "truncate"},
        {"path": "a", "content": "", "make_parent": True},
    ],
)
def test_bad_data_is_refused(bench: Bench, data: JsonObject) -> None:
    with pytest.raises(InvalidInput):
        bench.run_alone("write_file", data)


def test_without_a_workspace_nothing_is_written() -> None:
    with pytest.raises(PermanentError, match="WORKSPACE_ROOTS"):
        Bench().run_alone("create_folder", {"path": "a"})
