"""What a handler says reaches the record, bounded and storable, and never fails the job."""

import tracemalloc
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.job import Attempt
from scheduler.executor.run import Running
from scheduler.tasks import TaskContext
from scheduler.tasks.context import LOG_IS_FULL, MAX_LINE_BYTES, MAX_LOG_BYTES, MAX_LOG_LINES
from scheduler.tasks.text import cut, storable

ANY_TEXT = st.text(st.characters() | st.characters(categories=["Cs"]) | st.just("\x00"))


class Record:
    """The sinks of a context."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.progress: list[tuple[float, str | None]] = []
        self.cancelled = False
        self.context = TaskContext(
            job_id=42,
            attempt=2,
            max_attempts=3,
            on_log=self.lines.append,
            on_progress=lambda fraction, message: self.progress.append((fraction, message)),
            is_cancelled=lambda: self.cancelled,
        )


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


def test_it_says_who_the_handler_is() -> None:
    record = Record()
    context = record.context
    assert (context.job_id, context.attempt, context.max_attempts) == (42, 2, 3)
    assert context.idempotency_key == "job-42"
    assert not context.cancelled
    record.cancelled = True
    assert context.cancelled


def test_a_line_is_formatted_as_logging_does() -> None:
    record = Record()
    record.context.log("reading %s, %d bytes", "a.txt", 7)
    record.context.log("%(name)s", {"name": "x"})
    record.context.log("100% as it stands")
    assert record.lines == ["reading a.txt, 7 bytes", "x", "100% as it stands"]


def test_a_bad_format_is_kept_and_raises_nothing() -> None:
    record = Record()
    record.context.log("%d pieces", "three")
    record.context.log("%s and %s", "one")
    record.context.log("%s", Unprintable())
    assert [line.split(" [")[0] for line in record.lines] == ["%d pieces", "%s and %s", "%s"]


@given(ANY_TEXT)
def test_whatever_is_logged_can_be_stored(text: str) -> None:
    record = Record()
    record.context.log("%s", text)
    record.context.progress(0.5, text)
    for kept in (record.lines[0], record.progress[0][1] or ""):
        assert "\x00" not in kept
        assert len(kept.encode()) <= MAX_LINE_BYTES


def test_text_that_is_fine_stays_as_it_is() -> None:
    assert storable("naïve 𝄞 text") == "naïve 𝄞 text"
    assert storable("a\x00b\ud834c\ud834\udd1e") == "a\ufffdb\ufffdc𝄞"


@given(st.text(), st.integers(min_value=3, max_value=50))
def test_a_cut_keeps_whole_characters_within_the_limit(text: str, limit: int) -> None:
    short = cut(text, limit)
    assert len(short.encode()) <= limit
    assert short == text or text.startswith(short.removesuffix("…"))


def test_a_long_line_is_cut() -> None:
    record = Record()
    record.context.log("é" * MAX_LINE_BYTES)
    assert len(record.lines[0].encode()) <= MAX_LINE_BYTES
    assert record.lines[0].endswith("…")


def test_a_log_of_too_many_lines_ends_with_one_that_says_so() -> None:
    record = Record()
    for number in range(MAX_LOG_LINES + 50):
        record.context.log("%d", number)
    assert len(record.lines) == MAX_LOG_LINES + 1
    assert record.lines[MAX_LOG_LINES - 1 :] == [str(MAX_LOG_LINES - 1), LOG_IS_FULL]


def test_a_log_of_too_many_bytes_ends_with_one_that_says_so() -> None:
    record = Record()
    for _ in range(100):
        record.context.log("x" * 3000)
    assert sum(map(len, record.lines[:-1])) <= MAX_LOG_BYTES
    assert record.lines[-1] == LOG_IS_FULL
    assert record.lines.count(LOG_IS_FULL) == 1


def test_a_task_that_never_stops_talking_costs_bounded_memory() -> None:
    lines: list[str] = []
    running = Running(cast("Attempt", None), held_until=0.0)
    context = TaskContext(
        job_id=1,
        attempt=1,
        max_attempts=1,
        on_log=lines.append,
        on_progress=running.report,
        is_cancelled=lambda: False,
    )
    asked = Countable()
    tracemalloc.start()
    for _ in range(1_000_000):
        context.log("%s", asked)
    for number in range(100_000):
        context.progress(number / 100_000, "so far")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (len(lines), asked.count) == (MAX_LOG_LINES + 1, MAX_LOG_LINES + 1)
    assert running.progress == {"fraction": 0.99999, "message": "so far"}
    assert peak < 1024 * 1024


class Countable:
    """Knows how often it was put into words."""

    def __init__(self) -> None:
        self.count = 0

    def __str__(self) -> str:
        self.count += 1
        return "a line"


def test_progress_is_a_fraction() -> None:
    record = Record()
    for fraction in (-1, 0.25, 7, float("nan"), float("inf")):
        record.context.progress(fraction)
    assert [fraction for fraction, _ in record.progress] == [0.0, 0.25, 1.0, 0.0, 1.0]
