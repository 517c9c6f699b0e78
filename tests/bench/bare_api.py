"""The API's ceiling: Flask, an INSERT and a SELECT behind the same server; no log-in, check, limit or line of a log."""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

import orjson
import psycopg
from flask import Flask, Response, request
from granian.constants import Interfaces
from granian.server import Server
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from tests.acceptance.cluster import free_port, is_listening
from tests.bench.bare import SCHEMA
from tests.bench.http_load import get, post, post_and_get
from tests.bench.stage import Stage
from tests.chaos.fleet import cpu_seconds
from tests.eventually import eventually

_THREADS: Final = 8
_DATABASE: Final = "BARE_API_DATABASE_URL"
_INSERT: Final = "INSERT INTO jobs (task, due) VALUES (%s, now()) RETURNING *"
_SELECT: Final = "SELECT * FROM jobs WHERE id = %s"


def bare_api(stage: Stage, _jobs: int) -> dict[str, Any]:
    """The same requests as to the scheduler's API, over as many connections."""
    create = post("/jobs", json.dumps({"type": "noop", "data": {}}).encode())
    with stage.place() as place:
        with psycopg.connect(place.database_url) as connection:
            connection.execute(SCHEMA)
        with _serving(place.database_url) as (url, process):
            reads = [get(f"/jobs/{number}") for number in range(1, 101)]
            return post_and_get(url, create, reads, lambda: cpu_seconds(process))


@contextmanager
def _serving(database_url: str) -> Generator[tuple[str, int]]:
    """Its address and its process."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", __spec__.name, str(port)], env={**os.environ, _DATABASE: database_url}
    )
    try:
        eventually(lambda: is_listening(port))
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait()


def application() -> Flask:
    """As the server's worker process builds it."""
    app = Flask(__name__)
    pool = ConnectionPool(
        os.environ[_DATABASE],
        kwargs={"autocommit": True, "row_factory": dict_row},
        min_size=_THREADS,
        max_size=_THREADS,
        open=True,
    )

    def answer(statement: str, parameter: object, status: int) -> Response:
        with pool.connection() as connection:
            row = connection.execute(statement.encode(), (parameter,), prepare=True).fetchone()
        return Response(orjson.dumps(row), status, mimetype="application/json")

    def create() -> Response:
        return answer(_INSERT, request.get_data(as_text=True), 201)

    def show(job_id: int) -> Response:
        return answer(_SELECT, job_id, 200)

    app.add_url_rule("/jobs", view_func=create, methods=["POST"])
    app.add_url_rule("/jobs/<int:job_id>", view_func=show)
    return app


if __name__ == "__main__":
    Server(
        f"{__spec__.name}:application",
        factory=True,
        port=int(sys.argv[1]),
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=_THREADS,
        log_enabled=False,
    ).serve()
