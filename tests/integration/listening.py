"""A listener for the length of a `with`."""

from collections import deque
from collections.abc import Generator
from contextlib import contextmanager

from scheduler.queue import Listener
from tests.eventually import eventually


@contextmanager
def heard(url: str, name: str) -> Generator["deque[str]"]:
    """What a listener hears; it listens already."""
    calls: deque[str] = deque()
    listener = Listener(url, name, calls.append)
    listener.start()
    eventually(lambda: calls)
    try:
        yield calls
    finally:
        listener.stop()
