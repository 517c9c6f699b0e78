"""What a handler is given beside its data: who it is, and how it speaks to the record of its attempt."""

import math
import threading
from collections.abc import Callable, Mapping
from typing import Final, cast

from scheduler.tasks.text import cut, storable

MAX_LOG_LINES: Final = 1_000
MAX_LOG_BYTES: Final = 64 * 1024
MAX_LINE_BYTES: Final = 4 * 1024
LOG_IS_FULL: Final = "Further lines are not kept: the log of an attempt holds 1,000 lines and 64 KiB."


class TaskContext:
    """One attempt, as its handler sees it; the same in a coroutine, a thread and a process of its own."""

    def __init__(
        self,
        *,
        job_id: int,
        attempt: int,
        max_attempts: int,
        on_log: Callable[[str], None],
        on_progress: Callable[[float, str | None], None],
        is_cancelled: Callable[[], bool],
        traceparent: str | None = None,
    ) -> None:
        self.job_id: Final = job_id
        self.attempt: Final = attempt
        self.max_attempts: Final = max_attempts
        self.traceparent: Final = traceparent
        """What a request to others bears, so that their spans join the job's trace; None where nobody follows it."""
        self._on_log = on_log
        self._on_progress = on_progress
        self._is_cancelled = is_cancelled
        self._lock = threading.Lock()  # a handler may log from threads that it started
        self._lines_left = MAX_LOG_LINES
        self._bytes_left = MAX_LOG_BYTES
        self._full = False

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt at this job: what another service needs to recognise a repetition."""
        return f"job-{self.job_id}"

    @property
    def cancelled(self) -> bool:
        """Whether the attempt was asked to stop; a long-running handler looks at it between its steps."""
        return self._is_cancelled()

    def log(self, fmt: str, *args: object) -> None:
        """Keep a line on the execution record, %-formatted like `logging`. Never raises on a bad format.

        Bounds per attempt: 1,000 lines and 64 KiB, then one last line that says so; 4 KiB a line.
        """
        if self._full:  # what a runaway loop says is not even put into words
            return
        line = cut(storable(_formatted(fmt, args)), MAX_LINE_BYTES)
        size = len(line.encode())
        with self._lock:
            if self._full:
                return
            if self._lines_left < 1 or size > self._bytes_left:
                self._full = True
                line = LOG_IS_FULL
            self._lines_left -= 1
            self._bytes_left -= size
            self._on_log(line)

    def progress(self, fraction: float, message: str | None = None) -> None:
        """Show on the job how far the work is: `fraction` from 0 to 1 (clamped), and a few words."""
        known = 0.0 if math.isnan(fraction) else min(1.0, max(0.0, float(fraction)))
        self._on_progress(known, None if message is None else cut(storable(str(message)), MAX_LINE_BYTES))


def _formatted(fmt: object, args: tuple[object, ...]) -> str:
    try:
        text = str(fmt)
        return text % _operands(args) if args else text
    except Exception as wrong:  # noqa: BLE001 - whatever a format or an argument's __str__ raises: a log line fails no job
        return f"{fmt if isinstance(fmt, str) else type(fmt).__name__} [not formatted: {type(wrong).__name__}]"


def _operands(args: tuple[object, ...]) -> tuple[object, ...] | Mapping[str, object]:
    """A single mapping serves `%(name)s` formats, as in `logging`."""
    if len(args) == 1 and isinstance(args[0], Mapping) and args[0]:
        return cast("Mapping[str, object]", args[0])
    return args
