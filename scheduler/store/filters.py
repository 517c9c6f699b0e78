"""Filters as the conditions of a WHERE: fixed fragments, and every value a parameter."""

import json
from dataclasses import dataclass
from typing import Any, Final

from psycopg import sql

from scheduler.domain.caller import Caller
from scheduler.domain.listing import ExecutionFilter, JobFilter
from scheduler.store.trigrams import whole_pattern

OWNED: Final = "(%(sees_all)s OR owner_id = %(owner_id)s)"
"""The caller may see the row. Part of the statement itself, so that no read can forget it."""

OWN_ACCOUNT: Final = "(%(sees_all)s OR id = %(owner_id)s)"
"""The same for the row of an account, which owns itself."""

_TEXT: Final = "searchable(name, description, task_type, task_data)"

_FRAGMENTS: Final = {
    "owner": sql.SQL(OWNED),
    "statuses": sql.SQL("status = ANY (%(statuses)s::job_status[])"),
    "task_type": sql.SQL("task_type = %(task_type)s"),
    "search": sql.SQL(f"{_TEXT} ILIKE %(search)s"),
    # `|| ''` keeps the whole search from the index, which would else look up the common trigrams after all.
    "search_by_index": sql.SQL(f"({_TEXT} ILIKE %(search_by_index)s AND ({_TEXT} || '') ILIKE %(search)s)"),
    "search_in_json": sql.SQL(f"({_TEXT} ILIKE %(search)s OR {_TEXT} ILIKE %(search_in_json)s)"),
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


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a row must meet, one fragment of SQL a filter, by the filter's name; and the parameters of them all."""

    fragments: dict[str, sql.SQL]
    parameters: dict[str, Any]

    def only(self, *names: str) -> "Conditions":
        return Conditions({name: each for name, each in self.fragments.items() if name in names}, self.parameters)

    def without(self, *names: str) -> "Conditions":
        return Conditions({name: each for name, each in self.fragments.items() if name not in names}, self.parameters)

    def looking_up(self, wider: str) -> "Conditions":
        """The same, with the index of trigrams asked for this pattern, which whatever matches `search` meets."""
        if wider == self.parameters["search"]:
            return self
        fragments = {**self.fragments, "search": _FRAGMENTS["search_by_index"]}
        return Conditions(fragments, {**self.parameters, "search_by_index": wider})

    def __add__(self, others: "Conditions") -> "Conditions":
        return Conditions({**self.fragments, **others.fragments}, self.parameters)

    @property
    def sql(self) -> sql.Composed:
        """All of them at once; true when there are none."""
        return sql.SQL("({})").format(sql.SQL(" AND ").join(self.fragments.values() or [sql.SQL("true")]))


def ownership(caller: Caller) -> dict[str, Any]:
    """The parameters of OWNED and OWN_ACCOUNT."""
    return {"sees_all": caller.sees_all, "owner_id": caller.owner_id}


def conditions(caller: Caller, wanted: JobFilter) -> Conditions:
    """The conditions that a job must meet: `caller` may see it, `wanted` describes it."""
    asked = {
        "statuses": [status.value for status in wanted.statuses] or None,
        "task_type": wanted.task_type,
        "scheduled_from": wanted.scheduled_from,
        "scheduled_before": wanted.scheduled_before,
        "queue": wanted.queue,
        "priority": wanted.priority,
        "schedule_id": wanted.schedule_id,
    }
    parameters = {name: value for name, value in asked.items() if value is not None}
    fragments = {name: _FRAGMENTS[name] for name in ("owner", *parameters)}
    if wanted.search is not None:
        spelling = "search" if is_plain(wanted.search) else "search_in_json"
        fragments["search"] = _FRAGMENTS[spelling]
        parameters |= {
            "search": whole_pattern(wanted.search),
            "search_in_json": whole_pattern(_in_json(wanted.search)),
        }
    return Conditions(fragments, {**parameters, **ownership(caller)})


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


def is_plain(search: str) -> bool:
    """Whether it stands inside JSON text as it is."""
    return _in_json(search) == search


def _in_json(text: str) -> str:
    """`text` as it stands inside JSON text, where quotes and line breaks are escaped."""
    return json.dumps(text, ensure_ascii=False)[1:-1]
