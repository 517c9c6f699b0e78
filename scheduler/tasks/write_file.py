"""`write_file`: writes a file in the workspace, whole or not at all."""

import base64
import binascii
import fcntl
import os
import secrets
import shutil
import stat
from contextlib import suppress
from typing import Literal

from pydantic import model_validator

from scheduler.domain.job import JsonObject
from scheduler.tasks.context import TaskContext
from scheduler.tasks.data import TaskData, Text, WorkspacePath
from scheduler.tasks.registry import Kind, TaskType
from scheduler.tasks.workspace import Workspace, explained, refused

Mode = Literal["overwrite", "append", "create"]


class WriteFile(TaskData):
    """A file and what shall be in it; `create` refuses a file that exists, `append` begins one that does not."""

    path: WorkspacePath
    content: Text
    encoding: Literal["utf-8", "base64"] = "utf-8"
    mode: Mode = "overwrite"
    make_parents: bool = True

    @model_validator(mode="after")
    def _content_can_be_decoded(self) -> "WriteFile":
        self.decoded()
        return self

    def decoded(self) -> bytes:
        """The bytes to write."""
        if self.encoding == "utf-8":
            return self.content.encode()
        try:
            return base64.b64decode(self.content, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("content is not valid base64") from None


def write_file_task(workspace: Workspace) -> TaskType:
    """The type `write_file`, bound to a workspace."""

    def write_file(data: WriteFile, _context: TaskContext) -> JsonObject:
        place = workspace.place(data.path)
        content = data.decoded()
        with workspace.parent(place, make=data.make_parents) as (folder, name), explained(place):
            _store(folder, name, mode=data.mode, content=content)
        return {"path": str(place), "bytes": len(content)}

    return TaskType(
        "write_file",
        Kind.THREAD,  # file I/O blocks
        WriteFile,
        write_file,
        description="Writes a file in the workspace, whole or not at all.",
    )


def _store(folder: int, name: str, *, mode: Mode, content: bytes) -> None:
    """Write a temporary file beside `name`, then give it the name in one step.

    `append` takes this way too, and copies what was there: a write at the end of the file itself could stop half
    way (a full disk, a crash) and leave a torn line. The lock keeps an append from losing what another job writes
    between its copy and its rename; it ends when `folder` is closed.
    """
    fcntl.flock(folder, fcntl.LOCK_EX)
    existing = _existing(folder, name)
    if existing is not None and mode == "create":
        raise refused(f"{name!r} exists already: choose another name, or the mode 'overwrite' or 'append'.")
    temporary = f".scheduler-{secrets.token_hex(8)}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        with open(os.open(temporary, flags, 0o666, dir_fd=folder), "wb") as out:
            if existing is not None:
                os.fchmod(out.fileno(), stat.S_IMODE(existing.st_mode) & 0o777)
                if mode == "append":
                    with open(_reader(folder, name), "rb") as before:
                        shutil.copyfileobj(before, out)
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        if mode == "create":
            _name_if_free(folder, temporary, name)
        else:
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=folder)
    os.fsync(folder)


def _name_if_free(folder: int, temporary: str, name: str) -> None:
    try:
        os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError:
        raise refused(f"{name!r} exists already: it was made meanwhile.") from None


def _existing(folder: int, name: str) -> os.stat_result | None:
    """What bears the name now; raises PermanentError unless it is a regular file."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(found.st_mode):
        raise refused(f"{name!r} is a link, and links are not followed: choose another name.")
    if not stat.S_ISREG(found.st_mode):
        raise refused(f"{name!r} exists and is not a regular file: choose another name.")
    return found


def _reader(folder: int, name: str) -> int:
    """Open what `append` copies. It may have been swapped since it was looked at: neither follow a link nor wait."""
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise refused(f"{name!r} is not a regular file: choose another name.")
