"""The guard around files: whatever a path says, nothing outside the workspace roots is ever touched.

A path is walked one name at a time, each opened relative to the folder before it and never through a link
(`O_NOFOLLOW`). What was checked is therefore what is used: a link that is swapped in between two steps
makes the step fail, it cannot lead it elsewhere.
"""

import errno
import os
import stat
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from scheduler.domain.errors import PermanentError, TaskError

ERROR_TYPE: Final = "workspace"

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY

_PASSING: Final = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EIO,
        errno.EAGAIN,
        errno.EBUSY,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.ESTALE,
        errno.ETIMEDOUT,
        errno.ENOENT,  # a missing folder is made or named before; this one vanished meanwhile
    }
)
"""Faults of the machine, not of the job: worth another attempt."""

_ADVICE: Final = {
    errno.ENOSPC: "the disk is full: free some space",
    errno.EDQUOT: "the disk quota is used up: free some space",
    errno.EACCES: "permission denied: let the executor's user write there",
    errno.EPERM: "operation not permitted: let the executor's user write there",
    errno.EROFS: "the file system is read-only: choose another workspace root or mount it writable",
    errno.ENAMETOOLONG: "the name is too long for the file system: shorten it",
    errno.EINVAL: "the file system does not take such a name: choose another",
    errno.EILSEQ: "the file system does not take such a name: choose another",
    errno.EFBIG: "the file would be larger than its file system or the executor's limits allow: write less",
    errno.ENOENT: "a folder of it was removed meanwhile",
}


@dataclass(frozen=True, slots=True)
class Place:
    """A path inside a root, as names; lexical only, nothing has been looked at yet."""

    root: Path
    names: tuple[str, ...]

    def __str__(self) -> str:
        return str(self.root.joinpath(*self.names))


class Workspace:
    """The folders that file tasks may touch. A root is made when it is first used."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = tuple(roots)

    def place(self, path: str) -> Place:
        """Where `path` is; raises PermanentError when it is outside every root, or holds `..`."""
        if not self._roots:
            raise refused("No workspace is configured: set WORKSPACE_ROOTS.")
        pure = PurePosixPath(path)
        if ".." in pure.parts:
            raise refused(f"{path!r} holds '..': name the folder itself.")
        if not pure.is_absolute():
            return Place(self._roots[0], pure.parts)
        for root in sorted(self._roots, key=lambda each: len(each.parts), reverse=True):
            if pure.is_relative_to(root):
                return Place(root, pure.relative_to(root).parts)
        raise refused(f"{path!r} is outside the workspace. Its roots are: {', '.join(map(str, self._roots))}.")

    @contextmanager
    def folder(self, place: Place, *, make: bool) -> Generator[tuple[int, bool]]:
        """The folder itself, as an open descriptor, and whether it had to be made. Raises TaskError."""
        with explained(place):
            descriptor, made = _open_root(place.root)
            try:
                for name in place.names:
                    inner, made = _step(descriptor, name, place=place, make=make)
                    os.close(descriptor)
                    descriptor = inner
                yield descriptor, made
            finally:
                os.close(descriptor)

    @contextmanager
    def parent(self, place: Place, *, make: bool) -> Generator[tuple[int, str]]:
        """The folder around a file, as an open descriptor, and the file's name in it. Raises TaskError."""
        if not place.names:
            raise refused(f"{str(place)!r} is the workspace itself: name a file in it.")
        with self.folder(Place(place.root, place.names[:-1]), make=make) as (descriptor, _):
            yield descriptor, place.names[-1]


def refused(message: str) -> PermanentError:
    """The error of a path that must not or cannot be used."""
    return PermanentError(message, type=ERROR_TYPE)


@contextmanager
def explained(place: Place) -> Generator[None]:
    """Turn an OSError into a TaskError that says what to do; permanent unless the machine may recover."""
    try:
        yield
    except OSError as fault:
        reason = _ADVICE.get(fault.errno or 0) or (fault.strerror or "it failed").lower()
        kind = TaskError if fault.errno in _PASSING else PermanentError
        raise kind(f"Cannot use {str(place)!r}: {reason}.", type=ERROR_TYPE) from fault


def _open_root(root: Path) -> tuple[int, bool]:
    """A root is the administrator's word: it may itself be reached through links."""
    try:
        return os.open(root, _FOLDER), False
    except FileNotFoundError:
        root.mkdir(parents=True, exist_ok=True)
        return os.open(root, _FOLDER), True


def _step(folder: int, name: str, *, place: Place, make: bool) -> tuple[int, bool]:
    """Open the folder `name` in `folder`, making it if need be."""
    try:
        return _enter(folder, name, place), False
    except FileNotFoundError:
        if not make:
            raise refused(
                f"The folder {str(place)!r} does not exist: make it first, or let write_file make_parents."
            ) from None
    made = False
    with suppress(FileExistsError):  # someone else made it just now: as good
        os.mkdir(name, dir_fd=folder)
        made = True
        os.fsync(folder)
    return _enter(folder, name, place), made


def _enter(folder: int, name: str, place: Place) -> int:
    try:
        return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
    except OSError as fault:
        if fault.errno in (errno.ENOTDIR, errno.ELOOP):
            what = "a link, and links are not followed" if is_link(folder, name) else "not a folder"
            raise refused(f"{name!r} in {str(place)!r} is {what}: choose another path.") from None
        raise


def is_link(folder: int, name: str) -> bool:
    """Whether `name` in `folder` is a symbolic link; for the wording of an error only, never for a decision."""
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False
