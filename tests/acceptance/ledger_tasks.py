"""Tasks that write down what they do, each row at once, in a database that the scheduler does not know."""

import asyncio
import functools
import os
import subprocess
import sys
import time
from contextlib import suppress
from typing import Final

import psycopg
from pydantic import BaseModel

from scheduler.tasks import TaskContext, task

LEDGER_URL: Final = "LEDGER_DATABASE_URL"
"""Environment variable: the PostgreSQL URL of the ledger."""

CREATE_LEDGER: Final = """
    CREATE TABLE IF NOT EXISTS ledger (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, job_id bigint NOT NULL, attempt int NOT NULL,
        event text NOT NULL, pid int NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp())"""


class Nothing(BaseModel):
    """No data."""


class Sleep(BaseModel):
    """How long the first attempt lasts, the second, ...; the last one counts for all that follow."""

    seconds: list[float] = [0.0]

    def lasts(self, attempt: int) -> float:
        return self.seconds[min(attempt, len(self.seconds)) - 1]


class Fail(BaseModel):
    """How many attempts fail before one completes."""

    times: int


class Exit(BaseModel):
    """What the process ends with."""

    code: int


@task("ledger_sleep")
async def ledger_sleep(data: Sleep, context: TaskContext) -> dict[str, int]:
    """Sleep on the loop; one that is cancelled says so."""
    record(context, "start")
    try:
        await asyncio.sleep(data.lasts(context.attempt))
    except asyncio.CancelledError:
        record(context, "cancelled")
        raise
    return _end(context)


@task("ledger_sleep_thread")
def ledger_sleep_thread(data: Sleep, context: TaskContext) -> dict[str, int]:
    """Sleep in a thread, and look up now and then."""
    record(context, "start")
    until = time.monotonic() + data.lasts(context.attempt)
    while time.monotonic() < until:
        if context.cancelled:
            record(context, "cancelled")
            break
        time.sleep(0.02)
    return _end(context)


@task("ledger_sleep_process", kind="process")
def ledger_sleep_process(data: Sleep, context: TaskContext) -> dict[str, int]:
    """Sleep in a process."""
    record(context, "start")
    time.sleep(data.lasts(context.attempt))
    return _end(context)


@task("ledger_fail")
async def ledger_fail(data: Fail, context: TaskContext) -> dict[str, int]:
    """Fail some times, then complete."""
    record(context, "start")
    if context.attempt <= data.times:
        raise RuntimeError(f"attempt {context.attempt} was to fail")
    return _end(context)


@task("ledger_stubborn")
async def ledger_stubborn(_data: Nothing, context: TaskContext) -> None:
    """Never end, whoever cancels."""
    record(context, "start")
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)


@task("ledger_stubborn_thread")
def ledger_stubborn_thread(_data: Nothing, context: TaskContext) -> None:
    """Never end, and hold a thread."""
    record(context, "start")
    time.sleep(3600)


@task("ledger_stubborn_pool")
async def ledger_stubborn_pool(_data: Nothing, context: TaskContext) -> None:
    """Never end, and hold a thread of the loop's own pool, as any library may."""
    record(context, "start")
    await asyncio.to_thread(time.sleep, 3600)


@task("ledger_burn", kind="process")
def ledger_burn(_data: Nothing, context: TaskContext) -> None:
    """Eat a CPU until killed, in a process that has made another one."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"]) as grandchild:
        record(context, "grandchild", grandchild.pid)
        record(context, "start")
        while True:
            pass


class Chatter(BaseModel):
    """How much is said, and for how long at least."""

    lines: int
    seconds: float


@task("ledger_chatter_thread", kind="thread")
def ledger_chatter_thread(data: Chatter, context: TaskContext) -> int:
    """Log, and then report all the time."""
    return _chatter(data, context)


@task("ledger_chatter_process", kind="process")
def ledger_chatter_process(data: Chatter, context: TaskContext) -> int:
    """The same in a process."""
    return _chatter(data, context)


def _chatter(data: Chatter, context: TaskContext) -> int:
    """How often progress was reported."""
    until, count = time.monotonic() + data.seconds, 0
    for number in range(data.lines):
        context.log("line %d: %s", number, "x" * 1_000)
    while time.monotonic() < until:
        count += 1
        context.progress(1 - (until - time.monotonic()) / data.seconds, f"report {count}")
    return count


@task("ledger_exit", kind="process")
def ledger_exit(data: Exit, context: TaskContext) -> None:
    """End the process without a word."""
    record(context, "start")
    os._exit(data.code)


@task("ledger_system_exit")
async def ledger_system_exit(data: Exit, context: TaskContext) -> None:
    """Ask the interpreter to end, on the executor's own loop."""
    record(context, "start")
    sys.exit(data.code)


@task("ledger_cancelled_within")
async def ledger_cancelled_within(_data: Nothing, context: TaskContext) -> None:
    """Let out the cancellation of something of its own: nobody cancelled the attempt."""
    record(context, "start")
    helper = asyncio.create_task(asyncio.sleep(3600))
    helper.cancel()
    await helper


def record(context: TaskContext, event: str, pid: int | None = None) -> None:
    """Write one row, in a transaction of its own."""
    _connection(os.getpid()).execute(
        "INSERT INTO ledger (job_id, attempt, event, pid) VALUES (%s, %s, %s, %s)",
        (context.job_id, context.attempt, event, pid or os.getpid()),
    )


def _end(context: TaskContext) -> dict[str, int]:
    record(context, "end")
    return {"attempt": context.attempt}


@functools.cache
def _connection(_pid: int) -> psycopg.Connection:
    """This process's own connection: a fork must not use its parent's."""
    return psycopg.connect(os.environ[LEDGER_URL], autocommit=True)
