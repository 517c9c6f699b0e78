"""Regular files in an open folder: written whole or not at all, read without following links or waiting."""

import fcntl
import os
import secrets
import shutil
import stat
from contextlib import suppress
from typing import BinaryIO, Final, Literal

from scheduler.tasks.workspace import refused

Mode = Literal["overwrite", "append", "create"]

MAX_FILE_BYTES: Final = 256 * 1024 * 1024


def store(folder: int, name: str, *, mode: Mode, content: bytes) -> None:
    """Write a temporary file beside `name`, then give it the name in one step.

    `append` takes this way too, and copies what was there: a write at the end of the file itself could stop half
    way (a full disk, a crash) and leave a torn line. The lock keeps an append from losing what another job writes
    between its copy and its rename; it ends when `folder` is closed. Raises PermanentError and OSError.
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
                    _copy(folder, name, out, room=MAX_FILE_BYTES - len(content))
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


def open_regular(folder: int, name: str) -> BinaryIO:
    """Open a file for reading: neither follow a link nor wait for a pipe. Raises PermanentError and OSError."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        _existing(folder, name)  # says what is wrong with a link or a socket
        raise
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return open(descriptor, "rb")
    os.close(descriptor)
    raise _not_regular(name)


def _copy(folder: int, name: str, out: BinaryIO, *, room: int) -> None:
    with open_regular(folder, name) as before:
        if os.fstat(before.fileno()).st_size > room:
            raise refused(
                f"{name!r} would grow beyond {MAX_FILE_BYTES} bytes, and an append copies it all: begin another file."
            )
        shutil.copyfileobj(before, out)


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
        raise _not_regular(name)
    return found


def _not_regular(name: str) -> Exception:
    return refused(f"{name!r} exists and is not a regular file: choose another name.")
