"""Filters as the conditions of a WHERE: fixed fragments, and every value a parameter."""

import json
from typing import Any, Final

from psycopg import sql

from scheduler.domain.caller import Caller
from scheduler.domain.listing import ExecutionFilter, JobFilter

OWNED: Final = "(%(sees_all)s OR owner_id = %(owner_id)s)"
"""The caller may see the row. Part of the statement itself, so that no read can forget it."""

_FRAGMENTS: Final = {
    "statuses": sql.SQL("status = ANY (%(statuses)s::job_status[])"),
    "task_type": sql.SQL("task_type = %(task_type)s"),
    "search": sql.SQL(
        "(name ILIKE ANY (%(search)s) OR description ILIKE ANY (%(search)s)"
        " OR task_type ILIKE ANY (%(search)s) OR task_data::text ILIKE ANY (%(search)s))"
    ),
    "scheduled_from": sql.SQL("scheduled_at >= %(scheduled_from)s"),
    "scheduled_before": sql.SQL("scheduled_at < %(scheduled_before)s"),
    "queue": sql.SQL("queue = %(queue)s"),
    "priority": sql.SQL("priority = %(priority)s"),
    "schedule_id": sql.SQL("schedule_id = %(schedule_id)s"),
}

_OWNED_JOB: Final = sql.SQL(
    "(%(sees_all)s OR EXISTS (SELECT FROM jobs WHERE jobs.id = job_id AND owner_id = %(owner_id)s))"
)
_EXECUTION_FRAGMENTS: Final = {
    "job_id": sql.SQL("job_id = %(job_id)s"),
    "statuses": sql.SQL("status = ANY (%(statuses)s::execution_status[])"),
    "worker": sql.SQL("worker = %(worker)s"),
}


def ownership(caller: Caller) -> dict[str, Any]:
    """The parameters of OWNED."""
    return {"sees_all": caller.sees_all, "owner_id": caller.owner_id}


def conditions(caller: Caller, wanted: JobFilter) -> tuple[list[sql.Composable], dict[str, Any]]:
    """The conditions that a job must meet (`caller` may see it, `wanted` describes it), and their parameters."""
    asked = {
        "statuses": [status.value for status in wanted.statuses] or None,
        "task_type": wanted.task_type,
        "search": None if wanted.search is None else _patterns(wanted.search),
        "scheduled_from": wanted.scheduled_from,
        "scheduled_before": wanted.scheduled_before,
        "queue": wanted.queue,
        "priority": wanted.priority,
        "schedule_id": wanted.schedule_id,
    }
    parameters = {name: value for name, value in asked.items() if value is not None}
    return [sql.SQL(OWNED), *(_FRAGMENTS[name] for name in parameters)], {**parameters, **ownership(caller)}


def execution_conditions(caller: Caller, wanted: ExecutionFilter) -> tuple[list[sql.Composable], dict[str, Any]]:
    """The same for an execution."""
    asked = {
        "job_id": wanted.job_id,
        "statuses": [status.value for status in wanted.statuses] or None,
        "worker": wanted.worker,
    }
    parameters = {name: value for name, value in asked.items() if value is not None}
    fragments = (_EXECUTION_FRAGMENTS[name] for name in parameters)
    return [_OWNED_JOB, *fragments], {**parameters, **ownership(caller)}


def _patterns(text: str) -> list[str]:
    """LIKE patterns that find `text` as it is, and as it stands inside JSON text, where quotes are escaped."""
    spellings = dict.fromkeys((text, json.dumps(text, ensure_ascii=False)[1:-1]))
    return [f"%{_literally(spelling)}%" for spelling in spellings]


def _literally(text: str) -> str:
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
