"""Tasks that do nothing but wait for somebody: `api` requests to a server that takes its time."""

import asyncio
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final

from aiohttp import web

from tests.acceptance.cluster import free_port
from tests.bench.ours import running
from tests.bench.stage import Stage

ANSWER_SECONDS: Final = 0.1
_PATIENCE_SECONDS: Final = 120.0
_POLL_SECONDS: Final = 0.5


def api_tasks(concurrency: int) -> Callable[[Stage, int], dict[str, Any]]:
    """One executor with that many slots: at best `concurrency / ANSWER_SECONDS` a second."""

    def run(stage: Stage, jobs: int) -> dict[str, Any]:
        settings = {"executor_concurrency": concurrency, "api_task_allow": "127.0.0.1"}
        with _slow_server() as url, stage.place() as place, running(place, **settings) as cluster:
            cluster.create_many(jobs, "api", {"url": url, "method": "GET"})
            cluster.start("picker", "executor")
            deadline = time.monotonic() + _PATIENCE_SECONDS
            while cluster.statuses() != {"completed": jobs}:  # seldom: counting takes PostgreSQL from them
                assert time.monotonic() < deadline, cluster.statuses()
                time.sleep(_POLL_SECONDS)
            ((seconds,),) = cluster.sql(
                "SELECT extract(epoch FROM max(finished_at) - min(started_at))::float8 FROM executions"
            )
        best = concurrency / ANSWER_SECONDS
        return {"tasks/s": jobs / seconds, "% of concurrency / 0.1 s": jobs / seconds / best * 100}

    return run


@contextmanager
def _slow_server() -> Generator[str]:
    """A server in a thread of its own, each of whose answers takes ANSWER_SECONDS; its address."""
    port, loop, ready = free_port(), asyncio.new_event_loop(), threading.Event()

    async def answer(_: web.Request) -> web.Response:
        await asyncio.sleep(ANSWER_SECONDS)
        return web.json_response({})

    async def serve() -> None:
        app = web.Application()
        app.router.add_get("/", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
        ready.set()

    def run() -> None:
        loop.run_until_complete(serve())
        loop.run_forever()

    threading.Thread(target=run, name="slow server", daemon=True).start()
    ready.wait()
    yield f"http://127.0.0.1:{port}/"
    loop.call_soon_threadsafe(loop.stop)
