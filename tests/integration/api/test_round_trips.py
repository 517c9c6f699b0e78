"""What a request costs PostgreSQL, as libpq's own trace of the connection has it."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from scheduler.api import identity
from scheduler.store import connection as connections
from scheduler.store.connection import Database
from tests.integration.api.calls import NOOP, Answer, Api

ROUND_TRIP: Final = "Sync"
PLANNING: Final = "Parse"


@pytest.fixture(autouse=True)
def _busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """As under load, however slow this machine is: the last answer counts as a sign of life."""
    monkeypatch.setattr(connections, "FRESH_SECONDS", 60.0)
    monkeypatch.setattr(identity, "LAG_SECONDS", 60.0)


@pytest.fixture
def sent_by(db: Database, tmp_path: Path) -> Callable[[Callable[[], Answer]], Counter[str]]:
    """The messages that a call sends to PostgreSQL, by kind: one at a time, calls share the pool's one connection."""

    def sent(call: Callable[[], Answer]) -> Counter[str]:
        with (tmp_path / "trace").open("wb") as trace:
            with db.connection() as connection:
                connection.pgconn.trace(trace.fileno())
            assert call().status < 300
            with db.connection() as connection:
                connection.pgconn.untrace()
        lines = (line.split("\t") for line in (tmp_path / "trace").read_text().splitlines())
        return Counter(line[3] for line in lines if line[1:2] == ["F"])

    return sent


def test_creating_a_job_is_one_round_trip(api: Api, sent_by: Callable[[Callable[[], Answer]], Counter[str]]) -> None:
    api.create()
    sent = sent_by(lambda: api.post("/api/job", {"task": NOOP}))
    assert sent[ROUND_TRIP] == 1
    assert not sent[PLANNING]


@pytest.mark.parametrize("path", ["", "/status"])
def test_reading_a_job_is_one_round_trip(
    api: Api, sent_by: Callable[[Callable[[], Answer]], Counter[str]], path: str
) -> None:
    job = api.create()["id"]
    api.get(f"/api/jobs/{job}{path}").ok()
    sent = sent_by(lambda: api.get(f"/api/jobs/{job}{path}"))
    assert sent[ROUND_TRIP] == 1
    assert not sent[PLANNING]
