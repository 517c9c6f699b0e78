"""A database for each file of tests, emptied for each test: a copy for each of hundreds would take a minute."""

from collections.abc import Generator

import psycopg
import pytest

from scheduler.store.connection import Connection, Database
from tests.servers import Servers, fresh_database


@pytest.fixture(scope="module")
def migrated_url(servers: Servers) -> Generator[str]:
    """A migrated database."""
    with fresh_database(servers) as url:
        yield url


@pytest.fixture
def database_url(migrated_url: str) -> str:
    """A migrated, empty database."""
    with psycopg.connect(migrated_url, autocommit=True) as conn:
        conn.execute("TRUNCATE jobs, executions, idempotency_keys, templates, schedules")
        conn.execute("TRUNCATE queue_controls, queue_claims, queue_slots, workers")
    return migrated_url


@pytest.fixture
def conn(db: Database) -> Generator[Connection]:
    """A connection as a picker or an executor holds it."""
    with db.connection() as connection:
        yield connection
