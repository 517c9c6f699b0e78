"""Swaps a path for a link and back as fast as it can, until killed: `python swapper.py folder|file PATH TARGET`."""

import ctypes
import os
import sys
from pathlib import Path
from typing import Final

_EXCHANGE: Final = 2
_HERE: Final = -100


def exchange(one: str, other: str) -> None:
    """Let two names change their places in one step, as Linux can."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def swap_folder(path: Path, target: str) -> None:
    link = path.with_name("other")
    link.symlink_to(target)
    exchange(str(path), str(link))
    print(flush=True)  # noqa: T201 - it has begun
    while True:
        exchange(str(path), str(link))


def swap_file(path: Path, target: str) -> None:
    """A writer of the folder gives the name to a link, and to a file of its own."""
    other = path.with_name("other")
    print(flush=True)  # noqa: T201 - it has begun
    while True:
        other.symlink_to(target)
        other.replace(path)
        other.write_text("ours")
        other.replace(path)


if __name__ == "__main__":
    {"folder": swap_folder, "file": swap_file}[sys.argv[1]](Path(sys.argv[2]), sys.argv[3])
