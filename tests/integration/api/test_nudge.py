"""Signals while Redis is away: requests neither fail nor wait for it again and again."""

import socket
import threading
from collections.abc import Generator
from contextlib import closing

import pytest

from scheduler.api.nudge import Nudge
from scheduler.queue import Signals


class BrokenRedis:
    """Hangs up on everybody, and counts them."""

    def __init__(self) -> None:
        self.callers = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        self._thread = threading.Thread(target=self._hang_up, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _hang_up(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            self.callers += 1
            caller.close()


@pytest.fixture
def broken_redis() -> Generator[BrokenRedis]:
    with closing(BrokenRedis()) as server:
        yield server


def test_after_a_failure_it_rests_and_then_tries_again(broken_redis: BrokenRedis) -> None:
    now = 100.0
    with closing(Signals(broken_redis.url)) as signals:
        nudge = Nudge(signals, clock=lambda: now)
        nudge.wake_pickers()
        nudge.flush()
        tried = broken_redis.callers
        assert tried > 0
        for _ in range(50):
            nudge.wake_pickers()
            nudge.cancel(1)
        nudge.flush()
        assert broken_redis.callers == tried
        now += 2.1
        nudge.cancel(1)
        nudge.flush()
        assert broken_redis.callers > tried


class Publisher(Signals):
    """Holds each wake-up back until it is let go, and counts."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.begun = threading.Semaphore(0)
        self.let_go = threading.Semaphore(0)
        self.sent = 0

    def wake_pickers(self) -> None:
        self.begun.release()
        assert self.let_go.acquire(timeout=10)
        super().wake_pickers()
        self.sent += 1


def test_one_wake_up_tells_of_all_that_came_before_it(redis_url: str) -> None:
    with closing(Publisher(redis_url)) as signals:
        nudge = Nudge(signals)
        nudge.wake_pickers()
        assert signals.begun.acquire(timeout=10)  # on its way: who comes now is not told of by it
        for _ in range(50):
            nudge.wake_pickers()
        signals.let_go.release(2)
        nudge.flush()
        assert signals.sent == 2


def test_wake_ups_that_follow_at_once_are_told_together(redis_url: str) -> None:
    pausing, go_on = threading.Semaphore(0), threading.Semaphore(0)

    def pause(_seconds: float) -> None:
        pausing.release()
        assert go_on.acquire(timeout=10)

    with closing(Publisher(redis_url)) as signals:
        signals.let_go.release(10)
        nudge = Nudge(signals, pause=pause)
        nudge.wake_pickers()
        assert pausing.acquire(timeout=10)
        for _ in range(50):
            nudge.wake_pickers()
        go_on.release(10)
        nudge.flush()
        assert signals.sent == 2
