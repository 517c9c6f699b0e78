"""Pages of the dashboard: how long the server takes for each."""

import itertools
import time
import urllib.request
from http.cookiejar import CookieJar
from statistics import median
from typing import Any, Final
from urllib.parse import urlencode

import psycopg

from scheduler.domain.account import NewAccount, Role
from scheduler.domain.password import hash_password
from scheduler.store.accounts import create_account

_PASSWORD: Final = "seven grey llamas, twelve hats"
_PAGES: Final = ("/", "/jobs", "/jobs?status=failed", "/schedules", "/queues", "/workers", "/dead-letters", "/audit")
_TIMES: Final = 7


def pages(url: str, database_url: str) -> dict[str, Any]:
    """The median of some visits by an admin, in milliseconds, and the longest."""
    new = NewAccount(email="bench@example.com", password_hash=hash_password(_PASSWORD), role=Role.ADMIN)
    with psycopg.connect(database_url, autocommit=True) as conn:
        create_account(conn, new)
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    browser.open(f"{url}/login", urlencode({"email": new.email, "password": _PASSWORD}).encode()).read()
    figures: dict[str, Any] = {}
    for path in _PAGES:
        times = [_visit(browser, url + path) for _ in itertools.repeat(None, _TIMES)]
        figures[f"page {path}: p50 ms"], figures[f"page {path}: most ms"] = median(times), max(times)
    return figures


def _visit(browser: urllib.request.OpenerDirector, address: str) -> float:
    began = time.perf_counter()
    with browser.open(address) as answer:
        assert answer.url == address, "the log-in did not hold"
        answer.read()
    return (time.perf_counter() - began) * 1000
