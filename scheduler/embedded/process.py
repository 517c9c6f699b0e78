"""What the operating system knows of processes and ports."""

import ctypes
import os
import secrets
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from signal import Signals
from typing import Final

from scheduler.domain.errors import ConfigurationError

HOST: Final = "127.0.0.1"

_PORTS: Final = range(20_000, 32_000)
"""Below those that systems hand out to clients, so that a restarted server finds its port still free."""
_PR_SET_PDEATHSIG: Final = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def end_with_parent(signum: Signals) -> Callable[[], None]:
    """To be called in a child between fork and exec: it will get `signum` when the thread that forked it ends.

    Linux only. Elsewhere the child outlives a kill -9 of its parent.
    """
    parent = os.getpid()

    def arrange() -> None:
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, int(signum))
            if os.getppid() != parent:  # it ended before we asked
                os._exit(1)

    return arrange


def find_processes(program: str, folder: Path) -> list[int]:
    """Those that run `program` with `folder` as their working folder; none where the system does not tell."""
    if sys.platform != "linux":
        return []
    pids = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
    return [pid for pid in pids if _runs(pid, program, folder)]


def signal_processes(pids: list[int], signum: Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signum)


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` of the loopback address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def find_free_port() -> int:
    """A port that nobody listens on right now; raises ConfigurationError when there is none."""
    for _ in range(1000):
        if is_free(port := secrets.choice(_PORTS)):
            return port
    raise ConfigurationError(f"No free port from {_PORTS.start} to {_PORTS.stop} on {HOST}: free some.")


def _runs(pid: int, program: str, folder: Path) -> bool:
    process = Path(f"/proc/{pid}")
    try:
        # The kernel keeps 15 characters of a name.
        return (process / "comm").read_text().strip() == program[:15] and (process / "cwd").samefile(folder)
    except OSError:  # it is gone, or another user's
        return False
