"""What every daemon shares: signals become a stop, steps repeat until then, and only the loop waits."""

import ctypes
import gc
import os
import random
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from types import FrameType
from typing import Final

from scheduler.domain.errors import Unavailable
from scheduler.logs import get_log
from scheduler.metrics import SERVER_AWAY
from scheduler.probes import Pulse

log = get_log("daemon")

LIFELINE: Final = "SCHEDULER_LIFELINE_PID"
"""Environment variable: the process whose death takes this one along (`scheduler up`)."""

PARTING_SECONDS: Final = 4.0
"""What recording, releasing and signing off may take after the grace."""

_PR_SET_PDEATHSIG: Final = 1
_NEW_OBJECTS: Final = 50_000


class Stop:
    """SIGTERM or SIGINT asks a daemon to stop; a second one to leave at once."""

    def __init__(self) -> None:
        self.requested = threading.Event()
        self.hurried = threading.Event()
        self._callbacks: list[Callable[[], object]] = []
        self._signals: SimpleQueue[int] = SimpleQueue()

    def listen(self, grace_seconds: float) -> None:
        """Install the signal handlers (main thread only); the process is gone PARTING_SECONDS after the grace.

        Neither needs the main thread, which may wait for a server that does not answer, or run a task that never
        gives way.
        """
        threading.Thread(target=self._obey, name="stop", daemon=True).start()
        threading.Thread(target=self._leave, args=(grace_seconds,), name="leave", daemon=True).start()
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)

    def on_request(self, callback: Callable[[], object]) -> None:
        """Call `callback` (which must be quick and thread-safe) at each request to stop or to hurry."""
        self._callbacks.append(callback)

    def request(self) -> None:
        """Ask to stop; asked a second time, to leave at once."""
        (self.hurried if self.requested.is_set() else self.requested).set()
        for callback in self._callbacks:
            callback()

    def _on_signal(self, signum: int, _frame: FrameType | None) -> None:
        self._signals.put(signum)  # no more is safe here: the thread that is interrupted may hold any lock

    def _obey(self) -> None:
        while self._signals.get():
            self.request()

    def _leave(self, grace_seconds: float) -> None:
        self.requested.wait()
        self.hurried.wait(grace_seconds)
        time.sleep(PARTING_SECONDS)  # nothing interrupts this: who is done sooner has left by himself
        log.warning("left in the middle of something that does not end: leases will run out")
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def follow_lifeline() -> None:
    """End at once when the process that LIFELINE names ends, if it names one."""
    if pid := os.environ.get(LIFELINE):
        threading.Thread(target=_die_with, args=(int(pid),), name="lifeline", daemon=True).start()


def keep_what_is_there() -> None:
    """Spare the garbage collector all that start-up has made, which lives as long as the process.

    To be called once, when ready: else each full collection reads it all, and stops every thread meanwhile.
    """
    gc.collect()
    gc.freeze()


def collect_garbage_rarely() -> None:
    """Let many more objects come than go before the collector looks at them: hundreds of calls in flight hold that many
    by themselves, and it found nothing in them, again and again. Only what refers to itself is freed later."""
    gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])


class Worker(threading.Thread):
    """A thread that its daemon cannot do without: an error that nobody foresaw ends the process, to be started anew.

    A daemon that lives on without one would hold its place and do no work.
    """

    def __init__(self, run: Callable[[], None], *, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._run_to_end = run

    def run(self) -> None:
        try:
            self._run_to_end()
        except BaseException:
            log.critical("thread failed, leaving", thread=self.name, exc_info=True)
            os._exit(1)


class Wake:
    """An alarm that another thread may ring before its time."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def ring(self) -> None:
        self._event.set()

    def wait(self, seconds: float) -> None:
        self._event.wait(max(0.0, seconds))
        self._event.clear()


class Backoff:
    """Delays between attempts to reach a server that is away: doubling, jittered, at most `limit` seconds."""

    def __init__(self, first: float = 0.1, limit: float = 5.0) -> None:
        self._first = first
        self._limit = limit
        self._failures = 0

    def next(self) -> float:
        delay = min(self._limit, self._first * 2 ** min(self._failures, 16))
        self._failures += 1
        return delay * random.uniform(0.5, 1.0)  # noqa: S311 - spreads reconnects, guards nothing

    def reset(self) -> bool:
        """Back to the first delay; True when there had been failures."""
        failed, self._failures = self._failures > 0, 0
        return failed


def repeat(stop: Stop, wake: Wake, step: Callable[[], float], pulse: Pulse) -> None:
    """Run `step` until the stop; it returns the seconds it can wait, 0 when it did something and shall go on.

    A server that is away ends no daemon: the step is tried again after a jittered delay.
    """
    backoff = Backoff()
    while not stop.requested.is_set():
        try:
            pause = step()
        except Unavailable as away:
            pause = backoff.next()
            SERVER_AWAY.labels(away.server).inc()
            pulse.beat(pause)
            log.warning("server away", error=str(away), retry_in=round(pause, 2))
            stop.requested.wait(pause)  # a wake-up cannot bring a server back
            continue
        pulse.beat(max(0.0, pause))
        if backoff.reset():
            log.info("server back")
        if pause > 0:
            wake.wait(pause)


def die_with_parent() -> None:
    """Let the kernel kill this process when its parent ends, however it ends; elsewhere than on Linux, watch for it."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before the kernel knew
            os._exit(1)
    else:
        threading.Thread(target=_die_with, args=(parent,), name="lifeline", daemon=True).start()


def _die_with(pid: int) -> None:
    """Wait for process `pid` to end, then leave at once: our servers died with it, there is nothing to drain to."""
    if sys.platform == "linux":
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            os._exit(1)
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll()
    else:
        while _exists(pid):
            time.sleep(0.5)  # no pidfd here: there is nothing to wait on
    os._exit(1)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
