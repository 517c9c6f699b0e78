"""The pool: where a fail-over may have left more than one host to ask, and when it is closed."""

import threading
from contextlib import closing
from urllib.parse import urlsplit

import psycopg
import pytest

from scheduler.embedded.process import find_free_port
from scheduler.store.connection import Database
from tests.eventually import eventually


def test_of_several_hosts_one_that_answers_is_enough(database_url: str) -> None:
    parts = urlsplit(database_url)
    login, _, address = parts.netloc.rpartition("@")
    hosts = f"{login}@127.0.0.1:{find_free_port()},{address}"
    url = parts._replace(netloc=hosts, query="target_session_attrs=read-write").geturl()
    with closing(Database(url, name="test", timeout=10)) as database, database.connection() as conn:
        assert conn.info.port == parts.port


def test_what_is_closed_leaves_no_thread(database_url: str) -> None:
    before = set(threading.enumerate())
    with closing(Database(database_url, name="test")) as database:
        with database.connection() as conn:
            conn.execute("SELECT 1")
        assert set(threading.enumerate()) - before
    eventually(lambda: not set(threading.enumerate()) - before)


def test_one_that_is_still_lent_is_given_up_in_time(database_url: str) -> None:
    database = Database(database_url, name="test")
    with database.connection(seconds=1.0) as conn:
        database.close()
        with pytest.raises(psycopg.OperationalError):
            conn.execute("SELECT pg_sleep(30)")
