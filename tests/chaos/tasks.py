"""What the jobs do: nothing but keep a ledger, in a database that is never disturbed.

An attempt writes a row when it starts, says four times a second that it is still at it, and writes how it ended if it
gets to see that. Every time is CLOCK_MONOTONIC, taken before the write: on Linux all processes of a host share it.
"""

import asyncio
import functools
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import psycopg
from pydantic import BaseModel

from scheduler.tasks import TaskContext, task

LEDGER_URL: Final = "LEDGER_DATABASE_URL"
"""Environment variable: the PostgreSQL URL of the ledger."""

CREATE_LEDGER: Final = """
    CREATE TABLE attempts (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, token text NOT NULL, job_id bigint NOT NULL,
        attempt int NOT NULL, kind text NOT NULL, pid int NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp(),
        started float8 NOT NULL, seen float8 NOT NULL, ended float8, ending text)"""

SIGN_SECONDS: Final = 0.25
_LOOK_SECONDS: Final = 0.05


class Work(BaseModel):
    """How long an attempt lasts, and how many fail before one completes."""

    token: str
    seconds: float
    failures: int = 0


class Stopped(Exception):
    """The handler saw that it was asked to stop."""


@task("chaos_async")
async def chaos_async(data: Work, context: TaskContext) -> dict[str, int]:
    """Work on the loop."""
    with Entry.kept(data, context, "async") as entry:
        while (left := entry.left) > 0:
            await asyncio.sleep(min(SIGN_SECONDS, left))
            entry.sign()
        return entry.result()


@task("chaos_thread")
def chaos_thread(data: Work, context: TaskContext) -> dict[str, int]:
    """Work in a thread, which looks up often."""
    with Entry.kept(data, context, "thread") as entry:
        _work(entry)
        return entry.result()


@task("chaos_process", kind="process")
def chaos_process(data: Work, context: TaskContext) -> dict[str, int]:
    """Work in a process of its own."""
    with Entry.kept(data, context, "process") as entry:
        _work(entry)
        return entry.result()


@task("chaos_hog")
async def chaos_hog(data: Work, context: TaskContext) -> dict[str, int]:
    """Block the loop, as no coroutine should."""
    with Entry.kept(data, context, "hog") as entry:
        _work(entry)
        return entry.result()


class Entry:
    """The ledger's row of one attempt."""

    def __init__(self, data: Work, context: TaskContext, kind: str) -> None:
        self._data = data
        self._context = context
        self.started = self._signed = time.monotonic()
        row = _connection(os.getpid()).execute(
            "INSERT INTO attempts (token, job_id, attempt, kind, pid, started, seen)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id",
            (data.token, context.job_id, context.attempt, kind, os.getpid(), self.started, self.started),
        )
        self._id = row.fetchone()

    @classmethod
    @contextmanager
    def kept(cls, data: Work, context: TaskContext, kind: str) -> "Generator[Entry]":
        """Start the row; end it with what the block comes to."""
        entry = cls(data, context, kind)
        try:
            yield entry
        except BaseException as error:
            entry.end(type(error).__name__)
            raise
        entry.end("returned")

    @property
    def left(self) -> float:
        """Seconds of work still to do; those that are to fail do half of it."""
        share = 0.5 if self._fails else 1.0
        return self.started + self._data.seconds * share - time.monotonic()

    @property
    def _fails(self) -> bool:
        return self._context.attempt <= self._data.failures

    def sign(self) -> None:
        """Still at work; raises Stopped when it should not be."""
        now = time.monotonic()
        if now - self._signed >= SIGN_SECONDS * 0.9:
            self._signed = now
            self._write("UPDATE attempts SET seen = %s WHERE id = %s", now)
        if self._context.cancelled:
            raise Stopped

    def end(self, ending: str) -> None:
        now = time.monotonic()
        self._write("UPDATE attempts SET seen = %s, ended = %s, ending = %s WHERE id = %s", now, now, ending)

    def result(self) -> dict[str, int]:
        """What the job's result should be; raises RuntimeError in an attempt that is to fail."""
        if self._fails:
            raise RuntimeError("this attempt was to fail")
        return {"attempt": self._context.attempt, "pid": os.getpid()}

    def _write(self, statement: str, *values: object) -> None:
        _connection(os.getpid()).execute(statement.encode(), (*values, *(self._id or ())))


def _work(entry: Entry) -> None:
    while (left := entry.left) > 0:
        time.sleep(min(_LOOK_SECONDS, left))
        entry.sign()


@functools.cache
def _connection(_pid: int) -> psycopg.Connection:
    """This process's own connection: a fork must not use its parent's."""
    return psycopg.connect(os.environ[LEDGER_URL], autocommit=True)
