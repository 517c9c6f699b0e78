"""How PostgreSQL carries out the very statements that our functions prepare."""

from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, LiteralString, cast

from psycopg import sql

from scheduler.store.connection import Connection

CALLS = 12
"""psycopg prepares a statement at its sixth execution, and after five more PostgreSQL may turn to a generic plan."""

MODES: tuple[LiteralString, ...] = ("force_custom_plan",)
"""Most statements are not prepared, so each execution is planned for its parameters."""

KEPT_MODES: tuple[LiteralString, ...] = (*MODES, "force_generic_plan")
"""The others are, and may be planned once for all parameters; behind a pooler they are not either."""


@dataclass
class Plan:
    """What one execution did: the rows of a table that it looked at, by which indexes, and how long it took."""

    milliseconds: float
    rows_read: int = 0
    scans: Counter[str] = field(default_factory=Counter[str])
    """Scans of the table by the name of their index; "sequential" for one without."""
    buffers: int = 0
    compared_in_vain: int = 0
    """Pairs of rows that a join looked at one by one, and that did not belong together."""


def plan_of(
    conn: Connection, call: Callable[[], object], arguments: list[object], mode: LiteralString, *, table: str = "jobs"
) -> Plan:
    """The plan of the one statement about `table` that `call` executes, carried out with `arguments`, which stand in
    the order of its parameters. Nothing of what it does is kept. `conn` must be new.
    """
    for _ in range(CALLS):
        with _undone(conn):
            call()
    ((name,),) = conn.execute(
        "SELECT name FROM pg_prepared_statements WHERE statement ~ %s", (rf"(FROM|UPDATE) {table}",)
    ).fetchall()
    statement = sql.SQL("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE {}").format(sql.Identifier(name))
    if arguments:
        statement += sql.SQL(" ({})").format(sql.SQL(", ").join(map(sql.Literal, arguments)))
    with _undone(conn):
        conn.execute(f"SET LOCAL plan_cache_mode = {mode}")
        row = conn.execute(statement).fetchone()
    assert row is not None
    (top,) = cast("list[dict[str, Any]]", row[0])
    plan = Plan(top["Execution Time"], buffers=top["Plan"]["Shared Hit Blocks"] + top["Plan"]["Shared Read Blocks"])
    for node in _nodes(top["Plan"]):
        _count(plan, node, table)
        plan.compared_in_vain += round(node.get("Rows Removed by Join Filter", 0) * node["Actual Loops"])
    return plan


@contextmanager
def _undone(conn: Connection) -> Generator[None]:
    """A transaction that is rolled back without psycopg's knowledge: it would forget the prepared statements."""
    conn.pgconn.exec_(b"BEGIN")
    try:
        yield
    finally:
        conn.pgconn.exec_(b"ROLLBACK")


def _count(plan: Plan, node: dict[str, Any], table: str) -> None:
    kind = cast("str", node["Node Type"])
    if kind == "Bitmap Index Scan":
        plan.scans[node["Index Name"]] += round(node["Actual Loops"])
    elif node.get("Relation Name") == table and kind.endswith("Scan"):
        removed = sum(node.get(f"Rows Removed by {why}", 0) for why in ("Filter", "Index Recheck"))
        plan.rows_read += round((node["Actual Rows"] + removed) * node["Actual Loops"])
        if kind != "Bitmap Heap Scan":
            plan.scans[node.get("Index Name", "sequential")] += round(node["Actual Loops"])


def _nodes(node: dict[str, Any]) -> Generator[dict[str, Any]]:
    yield node
    for child in cast("list[dict[str, Any]]", node.get("Plans", [])):
        yield from _nodes(child)
