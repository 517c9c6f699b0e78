"""How jobs and their attempts look on a terminal. Any text in them may be hostile: all of it goes through `plain`."""

from collections.abc import Iterable, Sequence
from typing import Final, cast

from scheduler.cli.terminal import moment, plain, short, table
from scheduler.domain.job import JsonObject

_TIMES: Final = ("scheduled_at", "next_run_at", "created_at", "picked_at", "started_at", "completed_at", "expires_at")
_OTHERS: Final = (
    "name",
    "description",
    "queue",
    "priority",
    "timeout_seconds",
    "unique_key",
    "concurrency_key",
    "progress",
    "result",
    "error",
)


def created(job: JsonObject, *, is_new: bool) -> str:
    """One line for a job that was asked for."""
    verb = "created" if is_new else "is there already, with this unique key"
    return f"job {plain(job.get('id'))} {verb}: {plain(job.get('status'))}, due {moment(job.get('next_run_at'))}"


def changed(job: JsonObject) -> str:
    """One line for a job that is new or has changed."""
    parts = [
        moment(job.get("updated_at")),
        plain(job.get("id")).rjust(6),
        plain(job.get("status")).ljust(9),
        short(_task(job).get("type"), 24),
        *(f"{name}: {short(job[name], 120)}" for name in ("name", "progress", "error") if job.get(name) is not None),
    ]
    return "  ".join(parts)


def listed(jobs: Iterable[JsonObject]) -> str:
    """A table of jobs."""
    head = ("ID", "STATUS", "TYPE", "QUEUE", "PRIORITY", "ATTEMPT", "NEXT RUN", "NAME")
    return table(head, [_row(job) for job in jobs])


def _row(job: JsonObject) -> tuple[str, ...]:
    return (
        plain(job.get("id")),
        plain(job.get("status")),
        short(_task(job).get("type"), 24),
        short(job.get("queue"), 24),
        plain(job.get("priority")),
        f"{plain(job.get('attempt'))}/{plain(job.get('max_attempts'))}",
        moment(job.get("next_run_at")),
        short(job.get("name"), 40),
    )


def shown(job: JsonObject, attempts: Sequence[JsonObject]) -> str:
    """Everything about a job: what is set of its fields, then its attempts and their logs."""
    standing = f"{plain(job.get('status'))}, attempt {plain(job.get('attempt'))} of {plain(job.get('max_attempts'))}"
    fields = [
        ("status", standing),
        ("task", f"{plain(_task(job).get('type'))} {plain(_task(job).get('data'))}"),
        *((name, moment(job[name])) for name in _TIMES if job.get(name) is not None),
        *((name, plain(job[name])) for name in _OTHERS if job.get(name) is not None),
    ]
    text = table(("job", plain(job.get("id"))), fields)
    if not attempts:
        return text
    head = ("ATTEMPT", "STATUS", "STARTED", "MS", "WORKER", "ERROR")
    return "\n".join([text, "", table(head, [_attempt(each) for each in attempts]), *_logs(attempts)])


def _attempt(attempt: JsonObject) -> tuple[str, ...]:
    return (
        plain(attempt.get("attempt")),
        plain(attempt.get("status")),
        moment(attempt.get("started_at")),
        f"{cast('float', attempt.get('duration_ms') or 0):.1f}",
        plain(attempt.get("worker")),
        plain(cast("JsonObject", attempt.get("error") or {}).get("message")),
    )


def _logs(attempts: Iterable[JsonObject]) -> list[str]:
    return [
        f"  log of attempt {plain(attempt.get('attempt'))}: {plain(line)}"
        for attempt in attempts
        for line in cast("list[str]", attempt.get("logs") or [])
    ]


def _task(job: JsonObject) -> JsonObject:
    return cast("JsonObject", job.get("task") or {})
