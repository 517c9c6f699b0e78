"""What it costs when nothing is to be done: processor, memory, and statements to PostgreSQL."""

import time
from pathlib import Path
from typing import Any, Final

import psycopg

from tests.acceptance.cluster import Node
from tests.bench.ours import ROLES, running
from tests.bench.stage import Place, Stage
from tests.chaos.fleet import cpu_seconds, family

_SETTLE_SECONDS: Final = 15.0
"""A backend counts what it did at the latest ten seconds after it fell idle."""
_SECONDS: Final = 40.0


def idle(stage: Stage, jobs: int) -> dict[str, Any]:
    """All four processes with empty tables: per cent of a core and MB of each, statements a second of all together."""
    with stage.place() as place, running(place, *ROLES) as cluster:
        time.sleep(_SETTLE_SECONDS)
        began, statements = time.monotonic(), _transactions(place)
        before = [cpu_seconds(node.process.pid) for node in cluster.nodes]
        time.sleep(_SECONDS)
        seconds = time.monotonic() - began
        used = [cpu_seconds(node.process.pid) - since for node, since in zip(cluster.nodes, before, strict=True)]
        figures = {"statements/s": (_transactions(place) - statements) / seconds}
        for node, each in zip(cluster.nodes, used, strict=True):
            figures |= {f"{node.role} CPU %": each / seconds * 100, f"{node.role} MB": _megabytes(node)}
    return figures


def _transactions(place: Place) -> int:
    """Each statement of an idle process is a transaction of its own."""
    with psycopg.connect(place.database_url) as conn:
        row = conn.execute(
            "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    return row[0] if row else 0


def _megabytes(node: Node) -> float:
    """What the process and its children hold, of pages that they share with others their part of it."""
    held = [
        Path(f"/proc/{pid}/smaps_rollup").read_text().partition("\nPss:")[2].split()[0]
        for pid in family(node.process.pid)
    ]
    return sum(map(int, held)) / 1024
