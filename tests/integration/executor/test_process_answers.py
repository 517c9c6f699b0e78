"""A handler in a process of its own: what it says arrives whole and bounded, and its end is its attempt's alone."""

import ctypes
import json
import multiprocessing
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import cast

import pytest
from pydantic import BaseModel

from scheduler.domain.errors import PermanentError, RetryLater, TaskError
from scheduler.executor.errors import Described, describe
from scheduler.executor.process import ChildProcess, ProcessDied, Voice
from scheduler.executor.result import MAX_RESULT_BYTES, EncodedResult, encode_result
from scheduler.tasks import TaskContext, task
from scheduler.tasks.context import LOG_IS_FULL, MAX_LOG_LINES
from scheduler.tasks.registry import Handler, declared_task


class Nothing(BaseModel):
    """No fields."""


class Words(BaseModel):
    """What a model's result may be."""

    words: list[str]


class Record:
    """What arrived from the child."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.progress: list[tuple[float, str | None]] = []

    def run(self, handler: Handler) -> object:
        context = TaskContext(
            job_id=42,
            attempt=1,
            max_attempts=3,
            on_log=self.log.append,
            on_progress=lambda fraction, message: self.progress.append((fraction, message)),
            is_cancelled=lambda: False,
        )
        return ChildProcess(declared_task(handler), Nothing(), context, lambda: float("inf")).converse()


@pytest.fixture
def record() -> Record:
    return Record()


@task("returns", kind="process")
def returns(_data: Nothing, _context: TaskContext) -> Words:
    return Words(words=["ä", "b"])


@task("returns_none", kind="process")
def returns_none(_data: Nothing, _context: TaskContext) -> None: ...


@task("returns_too_much", kind="process")
def returns_too_much(_data: Nothing, _context: TaskContext) -> str:
    return "x" * MAX_RESULT_BYTES


@task("returns_no_json", kind="process")
def returns_no_json(_data: Nothing, _context: TaskContext) -> object:
    return {"function": encode_result}


@task("chatters", kind="process")
def chatters(_data: Nothing, context: TaskContext) -> None:
    """Log and report from many threads, far more than is kept."""

    def chatter(thread: int) -> None:
        for n in range(2_000):
            context.log("thread %d says %s", thread, "x" * 20)
            context.progress(n / 2_000, "x" * 1_000)
        context.progress(1.0, "done")

    threads = [threading.Thread(target=chatter, args=(n,)) for n in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


@task("crashes", kind="process")
def crashes(_data: Nothing, context: TaskContext) -> None:
    """Take the interpreter down."""
    context.log("here I go")
    ctypes.string_at(0)


@task("exits", kind="process")
def exits(_data: Nothing, _context: TaskContext) -> None:
    sys.exit("enough")


@task("gives_up", kind="process")
def gives_up(_data: Nothing, _context: TaskContext) -> None:
    raise PermanentError("no use", type="useless")


class Mute(PermanentError):
    def __str__(self) -> str:
        raise AttributeError("detail")


@task("gives_up_without_a_word", kind="process")
def gives_up_without_a_word(_data: Nothing, _context: TaskContext) -> None:
    raise Mute("", type="useless")


@task("waits", kind="process")
def waits(_data: Nothing, _context: TaskContext) -> None:
    raise RetryLater(7, "soon")


@task("recurses", kind="process")
def recurses(_data: Nothing, _context: TaskContext) -> None:
    def deeper() -> None:
        deeper()

    deeper()


def test_a_result_comes_as_the_json_that_is_kept(record: Record) -> None:
    result = record.run(returns)
    assert isinstance(result, EncodedResult)
    assert json.loads(result) == {"words": ["ä", "b"]}
    assert encode_result(result) is result
    assert record.run(returns_none) is None


@pytest.mark.parametrize(
    ("handler", "kind", "word"),
    [
        (returns_too_much, PermanentError, "result_too_large"),
        (returns_no_json, PermanentError, "invalid_result"),
        (crashes, ProcessDied, "process_died"),
        (exits, Described, "SystemExit"),
        (gives_up, PermanentError, "useless"),
        (gives_up_without_a_word, PermanentError, "useless"),
        (waits, RetryLater, "retry_later"),
        (recurses, Described, "RecursionError"),
    ],
)
def test_a_failure_keeps_its_kind(
    record: Record, handler: Callable[..., object], kind: type[TaskError], word: str
) -> None:
    with pytest.raises(TaskError) as caught:
        record.run(handler)
    assert (type(caught.value), caught.value.type) == (kind, word)


def test_an_error_nobody_foresaw_comes_with_the_way_to_it_as_in_any_other_kind(record: Record) -> None:
    with pytest.raises(Described) as caught:
        record.run(recurses)
    description = describe(caught.value)
    assert description["type"] == "RecursionError"
    trace = str(description["traceback"])
    assert "in deeper" in trace
    assert len(trace) <= 9_000


def test_a_crash_says_what_killed_it_and_keeps_the_log(record: Record) -> None:
    with pytest.raises(ProcessDied, match="SIGSEGV"):
        record.run(crashes)
    assert record.log == ["here I go"]


def test_what_many_threads_say_arrives_whole_and_bounded(record: Record) -> None:
    record.run(chatters)
    assert len(record.log) == MAX_LOG_LINES + 1
    assert record.log[-1] == LOG_IS_FULL
    assert all(line.endswith(" says " + "x" * 20) for line in record.log[:-1])
    assert 1 <= len(record.progress) < 1_000  # of 16,000
    assert {message for _, message in record.progress} <= {"x" * 1_000, "done"}


def test_messages_longer_than_a_pipe_takes_at_once_are_not_mixed_up() -> None:
    ours, theirs = multiprocessing.Pipe(duplex=False)
    voice, letters = Voice(cast("Connection", theirs)), "abcdefgh"

    def repeat(letter: str) -> None:
        for _ in range(20):
            voice.say("log", letter * 100_000)

    with ThreadPoolExecutor(len(letters)) as pool:
        said = pool.map(repeat, letters)
        heard = [ours.recv() for _ in range(20 * len(letters))]
        assert [*said]
    assert {word for word, _ in heard} == {"log"}
    assert sorted(line for _, line in heard) == sorted(letter * 100_000 for letter in letters for _ in range(20))
