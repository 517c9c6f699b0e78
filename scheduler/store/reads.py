"""Questions about jobs, and lists of all that is not one. Nothing here writes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, LiteralString, TypeVar

from psycopg import sql
from psycopg.rows import TupleRow

from scheduler.domain.account import Account, ApiKey
from scheduler.domain.audit import AuditEntry, AuditFilter
from scheduler.domain.caller import Caller
from scheduler.domain.errors import NotFound
from scheduler.domain.job import Execution, Job
from scheduler.domain.listing import EXACT_COUNT, Cursor, ExecutionFilter, Page, PageRequest
from scheduler.domain.schedule import Schedule
from scheduler.domain.states import JobStatus
from scheduler.domain.template import Template
from scheduler.store.accounts import ACCOUNT_COLUMNS, account_from_row
from scheduler.store.api_keys import KEY_COLUMNS, key_from_row
from scheduler.store.audit import ENTRY_COLUMNS, entry_conditions, entry_from_row
from scheduler.store.connection import Connection, fetch_one
from scheduler.store.filters import OWN_ACCOUNT, OWNED, execution_conditions, ownership
from scheduler.store.rows import (
    EXECUTION_COLUMNS,
    JOB_COLUMNS,
    SCHEDULE_COLUMNS,
    execution_from_row,
    job_from_row,
    schedule_from_row,
)
from scheduler.store.templates import TEMPLATE_COLUMNS, template_from_row

Item = TypeVar("Item")

_GET: Final = f"SELECT {JOB_COLUMNS} FROM jobs WHERE id = %(id)s AND {OWNED}"
_STATUS: Final = f"SELECT status::text FROM jobs WHERE id = %(id)s AND {OWNED}"


def get_job(conn: Connection, caller: Caller, job_id: int) -> Job:
    """The job; raises NotFound when there is none, or it is not the caller's to see."""
    return job_from_row(_one(conn, caller, _GET, job_id))


def get_status(conn: Connection, caller: Caller, job_id: int) -> JobStatus:
    """Where the job stands; raises NotFound as get_job."""
    return JobStatus(_one(conn, caller, _STATUS, job_id)[0])


def _one(conn: Connection, caller: Caller, statement: LiteralString, job_id: int) -> TupleRow:
    if row := fetch_one(conn, statement, {"id": job_id, **ownership(caller)}, prepare=True):
        return row
    raise NotFound(f"There is no job {job_id}.")


def list_executions(conn: Connection, caller: Caller, job_id: int, request: PageRequest) -> Page[Execution]:
    """A page of a job's ended attempts; raises NotFound as get_job.

    `run` counts a job's attempts, so its order is that of their ids; and it has the index.
    """
    get_status(conn, caller, job_id)
    where: list[sql.Composable] = [sql.SQL("job_id = %(job_id)s")]
    columns, key = sql.SQL(EXECUTION_COLUMNS), sql.Identifier("run")
    listing = _Listing(sql.SQL("executions"), columns, key, where, {"job_id": job_id}, execution_from_row)
    return _page(conn, listing, request)


def find_executions(conn: Connection, caller: Caller, wanted: ExecutionFilter, request: PageRequest) -> Page[Execution]:
    """A page of the ended attempts that `wanted` describes, among those at jobs that the caller may see."""
    where, parameters = execution_conditions(caller, wanted)
    columns, key = sql.SQL(EXECUTION_COLUMNS), sql.Identifier("id")
    listing = _Listing(sql.SQL("executions"), columns, key, where, parameters, execution_from_row)
    return _page(conn, listing, request)


def list_templates(conn: Connection, caller: Caller, request: PageRequest) -> Page[Template]:
    """A page of the templates that the caller may see."""
    columns, key, where = sql.SQL(TEMPLATE_COLUMNS), sql.Identifier("id"), [sql.SQL(OWNED)]
    listing = _Listing(sql.SQL("templates"), columns, key, where, ownership(caller), template_from_row)
    return _page(conn, listing, request)


_GET_SCHEDULE: Final = f"SELECT {SCHEDULE_COLUMNS} FROM schedules WHERE id = %(id)s AND {OWNED}"


def get_schedule(conn: Connection, caller: Caller, schedule_id: int) -> Schedule:
    """The schedule; raises NotFound when there is none, or it is not the caller's to see."""
    if row := fetch_one(conn, _GET_SCHEDULE, {"id": schedule_id, **ownership(caller)}):
        return schedule_from_row(row)
    raise NotFound(f"There is no schedule {schedule_id}.")


def list_schedules(conn: Connection, caller: Caller, request: PageRequest) -> Page[Schedule]:
    """A page of the schedules that the caller may see."""
    where: list[sql.Composable] = [sql.SQL(OWNED)]
    columns, key = sql.SQL(SCHEDULE_COLUMNS), sql.Identifier("id")
    listing = _Listing(sql.SQL("schedules"), columns, key, where, ownership(caller), schedule_from_row)
    return _page(conn, listing, request)


def list_accounts(conn: Connection, caller: Caller, request: PageRequest) -> Page[Account]:
    """A page of the accounts that the caller may see."""
    columns, key, where = sql.SQL(ACCOUNT_COLUMNS), sql.Identifier("id"), [sql.SQL(OWN_ACCOUNT)]
    listing = _Listing(sql.SQL("accounts"), columns, key, where, ownership(caller), account_from_row)
    return _page(conn, listing, request)


def list_keys(conn: Connection, caller: Caller, request: PageRequest) -> Page[ApiKey]:
    """A page of the API keys that the caller may see."""
    columns, key, where = sql.SQL(KEY_COLUMNS), sql.Identifier("id"), [sql.SQL(OWNED)]
    listing = _Listing(sql.SQL("api_keys"), columns, key, where, ownership(caller), key_from_row)
    return _page(conn, listing, request)


def list_audit(conn: Connection, caller: Caller, wanted: AuditFilter, request: PageRequest) -> Page[AuditEntry]:
    """A page of the audit's entries that `wanted` describes; there are none for who does not see all."""
    where, parameters = entry_conditions(wanted)
    columns, key = sql.SQL(ENTRY_COLUMNS), sql.Identifier("id")
    where = [sql.SQL("%(sees_all)s"), *where]
    listing = _Listing(
        sql.SQL("audit_entries"), columns, key, where, {**parameters, **ownership(caller)}, entry_from_row
    )
    return _page(conn, listing, request)


@dataclass(frozen=True, slots=True)
class _Listing(Generic[Item]):
    """A list as SQL: its rows, its sort key, its conditions, and how a row becomes an item."""

    table: sql.SQL
    columns: sql.SQL
    key: sql.Identifier
    where: Sequence[sql.Composable]
    parameters: dict[str, Any]
    item: Callable[[TupleRow], Item]

    def select(self, columns: sql.Composable, *more_conditions: sql.Composable) -> sql.Composed:
        where = sql.SQL(" AND ").join([*self.where, *more_conditions])
        return sql.SQL("SELECT {} FROM {} WHERE {}").format(columns, self.table, where)


def _page(conn: Connection, listing: _Listing[Item], request: PageRequest) -> Page[Item]:
    total, is_estimate = _count(conn, listing)
    rows = _rows(conn, listing, request)
    return Page(
        items=[listing.item(row) for row in rows[: request.limit]],
        number=request.number,
        limit=request.limit,
        total=total,
        total_is_estimate=is_estimate,
        next=_after(rows[request.limit - 1], request) if len(rows) > request.limit else None,
    )


def _rows(conn: Connection, listing: _Listing[Item], request: PageRequest) -> list[TupleRow]:
    """The page's rows and one more, if there is one; each ends with its sort key."""
    down = request.sort.descends
    parameters = {**listing.parameters, "limit": request.limit + 1, "offset": request.offset}
    beyond: list[sql.Composable] = []
    if request.after:
        parameters |= {"after_key": request.after.key, "after_id": request.after.id}
        place = "({}, id) < (%(after_key)s, %(after_id)s)" if down else "({}, id) > (%(after_key)s, %(after_id)s)"
        beyond.append(sql.SQL(place).format(listing.key))
    order = " ORDER BY {} DESC, id DESC" if down else " ORDER BY {}, id"
    statement = (
        listing.select(sql.SQL("{}, {}").format(listing.columns, listing.key), *beyond)
        + sql.SQL(order).format(listing.key)
        + sql.SQL(" LIMIT %(limit)s OFFSET %(offset)s")
    )
    return conn.execute(statement, parameters).fetchall()


def _after(last: TupleRow, request: PageRequest) -> Cursor:
    return Cursor(request.sort, key=last[-1], id=last[0], page=request.number + 1)


def _count(conn: Connection, listing: _Listing[Item]) -> tuple[int, bool]:
    """How many rows the whole list has, and whether that is the planner's estimate: exact only up to EXACT_COUNT."""
    bounded = listing.select(sql.SQL("1")) + sql.SQL(" LIMIT %(bound)s")
    statement = sql.SQL("SELECT count(*) FROM ({}) AS bounded").format(bounded)
    counted = conn.execute(statement, {**listing.parameters, "bound": EXACT_COUNT + 1}).fetchone()
    total: int = counted[0] if counted else 0
    if total <= EXACT_COUNT:
        return total, False
    explained = conn.execute(sql.SQL("EXPLAIN (FORMAT JSON) ") + listing.select(sql.SQL("1")), listing.parameters)
    plan = explained.fetchone()
    return max(total, int(plan[0][0]["Plan"]["Plan Rows"]) if plan else 0), True
