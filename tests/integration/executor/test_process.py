"""A child process and its lease."""

import os
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from pydantic import BaseModel

from scheduler.executor.process import ChildProcess
from scheduler.tasks.context import TaskContext
from scheduler.tasks.registry import Kind, TaskType
from tests.eventually import eventually

WHILE = 1.0
"""Seconds: a hundred times what a child needs that may begin."""


class Marker(BaseModel):
    """Where to leave a file that says who was there."""

    path: Path


def leave_marker(data: Marker, _: TaskContext) -> str:
    data.path.write_text(str(os.getpid()))
    return "begun"


@pytest.fixture
def context() -> TaskContext:
    return TaskContext(
        job_id=1,
        attempt=1,
        max_attempts=1,
        on_log=lambda _: None,
        on_progress=lambda _, __: None,
        is_cancelled=lambda: False,
    )


def test_a_child_that_was_not_told_of_its_lease_begins_nothing(tmp_path: Path, context: TaskContext) -> None:
    """As when its executor is frozen right after it started it: somebody else may have the job by now."""
    marker, told = tmp_path / "marker", threading.Event()

    def held_until() -> float:
        told.wait()
        return time.monotonic() + 60

    child = ChildProcess(
        TaskType("leave_marker", Kind.PROCESS, Marker, leave_marker), Marker(path=marker), context, held_until
    )
    with ThreadPoolExecutor(1) as pool:
        answer: Future[object] = pool.submit(child.converse)
        try:
            eventually(lambda: leads_a_group(child), what="a child that is under way")
            with suppress(AssertionError):
                eventually(marker.exists, WHILE)
            assert not marker.exists()
        finally:
            told.set()
        assert answer.result(timeout=10) == "begun"
    assert marker.read_text() == str(child.pid)


def leads_a_group(child: ChildProcess) -> bool:
    """The last thing that it does by itself."""
    return child.pid is not None and os.getpgid(child.pid) == child.pid
