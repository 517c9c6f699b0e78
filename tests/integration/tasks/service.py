"""An HTTP server for the `api` task, and one job against it."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, cast

import pytest
from aiohttp import web

from scheduler.domain.errors import PermanentError, TaskError
from scheduler.domain.job import JsonObject
from tests.integration.tasks.running import Bench

BIG: Final = 1024 * 1024 * 64
BOMBS: Final = {"gzip": gzip.compress(bytes(BIG)), "deflate": zlib.compress(bytes(BIG))}

Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Service:
    """A server on a free port that keeps what it was asked, and answers by the path."""

    def __init__(self) -> None:
        self.requests: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.port = 0
        self.elsewhere = ""

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.read())
        match request.path.strip("/").split("/"):
            case ["status", code]:
                return web.Response(status=int(code), text="why", headers=dict(request.query))
            case ["json"]:
                return web.json_response({"a": [1, "é"]}, headers={"Set-Cookie": "k=v", "X-Secret": "s", "ETag": '"1"'})
            case ["raw"]:
                body = bytes.fromhex(request.query["hex"])
                return web.Response(body=body, headers={"Content-Type": request.query["type"]})
            case ["big"]:
                response = web.StreamResponse()
                await response.prepare(request)
                for _ in range(BIG // 65536):
                    await response.write(b"x" * 65536)
                return response
            case ["bomb", coding]:
                return web.Response(body=BOMBS[coding], headers={"Content-Encoding": coding})
            case ["redirect"]:
                return web.Response(
                    status=int(request.query.get("code", 302)), headers={"Location": request.query["to"]}
                )
            case ["loop"]:
                return web.Response(status=302, headers={"Location": "/loop"})
            case ["drop"]:
                assert request.transport is not None
                request.transport.close()
                return web.Response()
            case _:
                return web.Response(text="ok")


@asynccontextmanager
async def listening(answer: Handle, address: str = "127.0.0.1", *, backlog: int = 128) -> AsyncGenerator[str]:
    """A server on a free port that answers like this; its URL, without a path."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application, shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, address, 0, backlog=backlog).start()
        yield f"http://{address}:{cast('tuple[str, int]', runner.addresses[0])[1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def service(address: str = "127.0.0.1") -> AsyncGenerator[Service]:
    made = Service()
    async with listening(made.answer, address) as url:
        made.port = int(url.rpartition(":")[2])
        yield made


def call(
    path: str, data: JsonObject | None = None, *, allow: tuple[str, ...] = ("127.0.0.1",), host: str = "127.0.0.1"
) -> tuple[JsonObject, Service, Bench]:
    """One job against a service of its own; `{port}` in the path becomes the service's port."""

    async def alone() -> tuple[JsonObject, Service, Bench]:
        bench = Bench(allow=allow)
        async with service() as server:
            try:
                url = server.url(path.replace("{port}", str(server.port)), host)
                return await bench.run("api", {"url": url, **(data or {})}, attempt=2), server, bench
            finally:
                await bench.registry.aclose()

    return asyncio.run(alone())


def failed(path: str, data: JsonObject | None = None, *, allow: tuple[str, ...] = ("127.0.0.1",)) -> TaskError:
    with pytest.raises(TaskError) as caught:
        call(path, data, allow=allow)
    return caught.value


def is_refused(error: TaskError) -> bool:
    return isinstance(error, PermanentError) and error.type == "address_refused" and "API_TASK_ALLOW" in str(error)
