"""The audit: deeds are recorded, and nothing changes or removes them."""

from datetime import UTC
from typing import Any, Final, LiteralString

from psycopg import sql
from psycopg.rows import TupleRow

from scheduler.domain.audit import AuditEntry, AuditFilter, Deed
from scheduler.domain.caller import Caller
from scheduler.domain.job import JsonObject
from scheduler.store.connection import Connection, fetch_one
from scheduler.store.filters import OWNED, ownership
from scheduler.store.rows import to_json

ENTRY_COLUMNS: Final = "id, at, account_id, actor, action, object_type, object_id, address, request_id, before, after"

_RECORD: Final = """
    INSERT INTO audit_entries (account_id, actor, action, object_type, object_id, address, request_id, before, after)
    VALUES (
        %(account_id)s,
        coalesce(%(actor)s, (SELECT email FROM accounts WHERE id = %(account_id)s), 'an account that is gone'),
        %(action)s, %(object_type)s, %(object_id)s, %(address)s, %(request_id)s, %(before)s, %(after)s)"""


def record(conn: Connection, deed: Deed) -> None:
    """Record a deed, in the transaction that does it where there is one."""
    conn.execute(
        _RECORD,
        {
            "account_id": deed.account_id,
            "actor": deed.actor,
            "action": deed.action,
            "object_type": deed.object_type,
            "object_id": deed.object_id,
            "address": deed.address,
            "request_id": deed.request_id,
            "before": _json_or_null(deed.before),
            "after": _json_or_null(deed.after),
        },
    )


_SHOWN: Final[dict[str, LiteralString]] = {
    "job": """
        name, description, task_type, queue, priority, status, scheduled_at, next_run_at, attempt, max_attempts,
        timeout_seconds, retry_backoff, retry_delay_seconds, retry_max_delay_seconds, retry_jitter, unique_key,
        concurrency_key, expires_at FROM jobs""",
    "schedule": """
        name, cron, timezone, starts_at, ends_at, misfire, overlap, jitter_seconds, enabled, task_type, queue, priority,
        max_attempts, timeout_seconds, retry_backoff, retry_delay_seconds, retry_max_delay_seconds, retry_jitter,
        concurrency_key FROM schedules""",
    "template": "name, description, task_type, defaults FROM templates",
    "key": "name, prefix, scope, expires_at FROM api_keys",
}
"""What the audit shows of a thing: neither a task's data nor anything else that may hold a secret."""

_STANDS: Final[dict[str, LiteralString]] = {
    kind: f"SELECT to_jsonb(thing) FROM (SELECT {shown} WHERE id = %(id)s AND {OWNED} FOR UPDATE) AS thing"
    for kind, shown in _SHOWN.items()
}


def how_it_stands(conn: Connection, caller: Caller, object_type: str, object_id: int) -> JsonObject:
    """What the audit shows of a thing, locked until the transaction ends; nothing of one that is not there to see."""
    if (statement := _STANDS.get(object_type)) is None:
        return {}
    row = fetch_one(conn, statement, {"id": object_id, **ownership(caller)})
    return row[0] if row else {}


_FRAGMENTS: Final = {
    "account_id": sql.SQL("account_id = %(account_id)s"),
    "action": sql.SQL("action = %(action)s"),
    "object_type": sql.SQL("object_type = %(object_type)s"),
    "object_id": sql.SQL("object_id = %(object_id)s"),
}


def entry_conditions(wanted: AuditFilter) -> tuple[list[sql.Composable], dict[str, Any]]:
    """The conditions that an entry must meet beside being the caller's to see, and their parameters."""
    asked = {name: getattr(wanted, name) for name in _FRAGMENTS}
    parameters = {name: value for name, value in asked.items() if value is not None}
    return [_FRAGMENTS[name] for name in parameters], parameters


def entry_from_row(row: TupleRow) -> AuditEntry:
    """An entry from a row of ENTRY_COLUMNS."""
    return AuditEntry(
        id=row[0],
        at=row[1].astimezone(UTC),
        account_id=row[2],
        actor=row[3],
        action=row[4],
        object_type=row[5],
        object_id=row[6],
        address=row[7],
        request_id=row[8],
        before=row[9],
        after=row[10],
    )


def _json_or_null(value: JsonObject | None) -> str | None:
    return None if value is None else to_json(value)
