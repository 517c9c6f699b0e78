"""One `scheduler up` a data folder."""

import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from scheduler.domain.errors import ConfigurationError

_REMNANT_SECONDS = 5.0
"""How long the processes of a killed holder, which share its lock, may take to leave."""


@contextmanager
def lock_folder(folder: Path) -> Generator[None, None, None]:
    """Make `folder` (0700) and hold it; raises ConfigurationError at once when a living process does."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(descriptor, folder)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, folder: Path) -> None:
    deadline = time.monotonic() + _REMNANT_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode()
            if _is_alive(holder) or time.monotonic() > deadline:
                raise ConfigurationError(
                    f"The data folder {folder} is in use by process {holder or '?'}: "
                    "stop that one first, or set SCHEDULER_DATA_DIR to another folder."
                ) from None
            time.sleep(0.05)
        else:
            return


def _is_alive(pid: str) -> bool:
    if not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
