"""Tasks that break the rules of the loop that they run on, and write it in the ledger."""

import os
import time

from scheduler.tasks import TaskContext, task
from tests.acceptance.ledger_tasks import Sleep, record


@task("ledger_block")
async def ledger_block(data: Sleep, context: TaskContext) -> dict[str, int]:
    """Sleep without giving way: nothing else happens on the loop meanwhile."""
    record(context, "start")
    time.sleep(data.lasts(context.attempt))  # noqa: ASYNC251 - what this is about
    record(context, "end")
    return {"attempt": context.attempt, "pid": os.getpid()}
