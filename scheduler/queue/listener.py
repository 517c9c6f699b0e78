"""Hearing what is said over Redis."""
# redis-py and RQ leave their keyword arguments untyped, which strict mode reports at each call.
# pyright: reportUnknownMemberType=false

import threading
from collections.abc import Callable
from typing import Any, cast

from scheduler.daemon import Backoff, Worker
from scheduler.domain.errors import QueueUnavailable
from scheduler.queue.connection import channel, connect, reaching_redis


class Listener:
    """A thread that hears one channel and calls back; it reconnects for ever, and hearing again counts as a call."""

    def __init__(self, url: str, name: str, heard: Callable[[str], None]) -> None:
        self._redis = connect(url, timeout=5.0)
        self._name = name
        self._heard = heard
        self._stopped = threading.Event()
        self._thread = Worker(self._run, name=f"listener-{name}")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to leave; it does within a second."""
        self._stopped.set()

    def _run(self) -> None:
        backoff = Backoff()
        while not self._stopped.is_set():
            try:
                with reaching_redis():
                    self._listen(backoff)
            except QueueUnavailable:
                self._stopped.wait(backoff.next())
        self._redis.close()

    def _listen(self, backoff: Backoff) -> None:
        with self._redis.pubsub(ignore_subscribe_messages=True) as pubsub:
            pubsub.subscribe(channel(self._redis, self._name))
            backoff.reset()
            self._heard("")  # whatever was said while nobody listened
            while not self._stopped.is_set():
                message = cast("dict[str, Any] | None", pubsub.get_message(timeout=1.0))
                if message is not None:
                    self._heard(cast("bytes", message["data"]).decode("utf-8", "replace"))
