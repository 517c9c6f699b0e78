"""`api` against a real HTTP server: what it sends, what it makes of the answer, and which addresses it refuses."""

import asyncio
import gzip
import json
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest
from aiohttp import web

from scheduler.domain.errors import PermanentError, RetryLater, TaskError
from scheduler.domain.job import JsonObject, JsonValue
from tests.integration.tasks.running import Bench

Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]
BIG = 1024 * 1024 * 64


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
            case ["bomb"]:
                body = gzip.compress(bytes(BIG))
                return web.Response(body=body, headers={"Content-Encoding": "gzip"})
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
async def service(address: str = "127.0.0.1") -> AsyncGenerator[Service]:
    made = Service()
    runner = web.AppRunner(_application(made.answer))
    await runner.setup()
    try:
        site = web.TCPSite(runner, address, 0)
        await site.start()
        made.port = cast("tuple[str, int]", runner.addresses[0])[1]
        yield made
    finally:
        await runner.cleanup()


def _application(answer: Handle) -> web.Application:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    return application


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


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Names that resolve as the test says, beside those that the system knows."""
    known: dict[str, list[str]] = {}
    system = socket.getaddrinfo

    def resolve(host: str, port: int, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> object:  # noqa: A002
        if host not in known:
            return system(host, port, family, type, proto, flags)
        if not known[host]:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        found = [system(each, port, 0, type, proto, flags) for each in known[host]]
        return [info for infos in found for info in infos]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return known


def test_a_request_carries_what_was_asked_and_who_asks() -> None:
    data: JsonObject = {
        "method": "post",
        "headers": {"X-Api-Key": "k"},
        "query": {"b": [1, True]},
        "json": {"é": None},
    }
    result, server, _ = call("/echo?a=1", data)
    (request,) = server.requests
    assert (request.method, request.query_string) == ("POST", "a=1&b=1&b=true")
    assert json.loads(server.bodies[0]) == {"é": None}
    assert request.headers["Idempotency-Key"] == "job-42"
    assert request.headers["X-Scheduler-Attempt"] == "2"
    assert request.headers["X-Api-Key"] == "k"
    assert request.headers["Content-Type"] == "application/json"
    assert result["status"] == 200
    assert result["body"] == "ok"


def test_a_json_answer_is_the_result_with_harmless_headers_only() -> None:
    result, _, _ = call("/json")
    headers = cast("dict[str, str]", result["headers"])
    assert result["body"] == {"a": [1, "é"]}
    assert result["truncated"] is False
    assert headers["etag"] == '"1"'
    assert {"set-cookie", "x-secret"}.isdisjoint(headers)


@pytest.mark.parametrize(
    ("raw", "kind", "body"),
    [
        (b"{not json", "application/json", "{not json"),
        (b'"\\u0000"', "application/json", '"\\u0000"'),
        (b'{"\\u0000": 1}', "application/json", '{"\\u0000": 1}'),
        (b"a\x00b\xff", "text/plain", "a\ufffdb\ufffd"),
        (b"caf\xe9", "text/plain; charset=latin-1", "café"),
        (b"x", "text/plain; charset=no-such", "x"),
        (b"[" * 900 + b"]" * 900, "application/problem+json", None),
        (b"", "application/json", ""),
    ],
)
def test_whatever_the_server_sends_can_be_stored(raw: bytes, kind: str, body: JsonValue) -> None:
    result, _, _ = call("/raw", {"query": {"hex": raw.hex(), "type": kind}})
    assert "\x00" not in json.dumps(result)
    if body is not None:
        assert result["body"] == body


@pytest.mark.parametrize("path", ["/big", "/bomb"])
def test_a_large_answer_is_cut_after_decompression(path: str) -> None:
    result, _, _ = call(path, {"max_response_bytes": 1000})
    assert len(str(result["body"])) == 1000
    assert result["truncated"] is True


def test_an_answer_of_just_the_limit_is_whole() -> None:
    result, _, _ = call("/echo", {"max_response_bytes": 2})
    assert (result["body"], result["truncated"]) == ("ok", False)


def test_statuses() -> None:
    assert type(failed("/status/500")) is TaskError
    assert type(failed("/status/404")) is PermanentError
    assert type(failed("/status/302")) is PermanentError
    later = failed("/status/429?Retry-After=12")
    assert isinstance(later, RetryLater)
    assert (later.seconds, later.type) == (12, "http_status")
    assert call("/status/404", {"expected_status": [404, "2xx"]})[0]["status"] == 404


def test_what_the_server_said_to_a_failure_is_in_the_log() -> None:
    async def alone() -> list[str]:
        bench = Bench(allow=("127.0.0.1",))
        async with service() as server:
            with pytest.raises(TaskError):
                await bench.run("api", {"url": server.url("/status/500")})
            await bench.registry.aclose()
        return bench.log

    log = asyncio.run(alone())
    assert log[-1] == "the body of the answer: why"


@pytest.mark.parametrize(
    "path", ["/status/500", "/status/404", "/drop", "/redirect?to=ftp://x/", "/redirect?to=/redirect?to=/"]
)
def test_no_error_and_no_log_shows_credentials(path: str) -> None:
    async def alone() -> str:
        bench = Bench(allow=("127.0.0.1",))
        async with service() as server:
            url = (
                server.url(path).replace("http://", "http://user:hunter2@")
                + ("&" if "?" in path else "?")
                + "token=s3cret"
            )
            with pytest.raises(TaskError) as caught:
                await bench.run("api", {"url": url, "follow_redirects": True, "expected_status": 201})
            await bench.registry.aclose()
        return f"{caught.value!r} {caught.value.__cause__!r} {bench.log}"

    shown = asyncio.run(alone())
    assert "hunter2" not in shown
    assert "s3cret" not in shown


def test_connections_that_fail_are_worth_another_attempt(names: dict[str, list[str]]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        bench = Bench(allow=("127.0.0.1",))
        with pytest.raises(TaskError) as caught:
            bench.run_alone("api", {"url": f"http://127.0.0.1:{port}/"})
    assert (type(caught.value), caught.value.type) == (TaskError, "connection")
    dropped = failed("/drop", {"method": "POST"})
    assert (type(dropped), dropped.type) == (TaskError, "connection")
    names["nowhere.example"] = []
    with pytest.raises(TaskError) as caught:
        bench.run_alone("api", {"url": "http://nowhere.example/"})
    assert (type(caught.value), caught.value.type) == (TaskError, "dns")


def test_one_jobs_cookies_are_not_anothers() -> None:
    async def alone() -> Service:
        bench = Bench(allow=("localhost",))
        async with service() as server:
            await bench.run("api", {"url": server.url("/status/200?Set-Cookie=session%3D1%3B+Path%3D/", "localhost")})
            await bench.run("api", {"url": server.url("/echo", "localhost")})
            await bench.registry.aclose()
        return server

    assert "Cookie" not in asyncio.run(alone()).requests[1].headers


def test_redirects_are_followed_when_asked_and_never_without_end() -> None:
    assert call("/redirect?to=/echo", {"follow_redirects": True})[0]["body"] == "ok"
    assert type(failed("/redirect?to=/echo")) is PermanentError
    assert call("/redirect?to=/echo", {"expected_status": "3xx"})[0]["status"] == 302
    endless = failed("/loop", {"follow_redirects": True})
    assert (type(endless), endless.type) == (PermanentError, "redirects")


def test_a_redirect_to_another_origin_gets_no_secrets() -> None:
    async def alone() -> tuple[Service, Service]:
        bench = Bench(allow=("127.0.0.1",))
        async with service() as first, service() as second:
            data: JsonObject = {
                "url": first.url("/redirect"),
                "query": {"to": second.url("/echo")},
                "headers": {"X-Api-Key": "k", "Authorization": "Bearer t", "Accept": "text/plain"},
                "follow_redirects": True,
            }
            await bench.run("api", data)
            await bench.registry.aclose()
            return first, second

    first, second = asyncio.run(alone())
    assert first.requests[0].headers["X-Api-Key"] == "k"
    assert {"X-Api-Key", "Authorization"}.isdisjoint(second.requests[0].headers)
    assert second.requests[0].headers["Accept"] == "text/plain"


def is_refused(error: TaskError) -> bool:
    return isinstance(error, PermanentError) and error.type == "address_refused" and "API_TASK_ALLOW" in str(error)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://[::1]:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://0.0.0.0:{port}/",
        "http://169.254.169.254/latest/meta-data/",
        "http://internal.example:{port}/",
        "https://internal.example:{port}/",
    ],
)
def test_addresses_that_are_not_public_are_refused_before_a_connection(url: str, names: dict[str, list[str]]) -> None:
    names["internal.example"] = ["127.0.0.1"]

    async def alone() -> tuple[TaskError, Service]:
        bench = Bench()
        async with service() as server:
            with pytest.raises(TaskError) as caught:
                await bench.run("api", {"url": url.replace("{port}", str(server.port))})
            await bench.registry.aclose()
            return caught.value, server

    error, server = asyncio.run(alone())
    assert is_refused(error), error
    assert server.requests == []


@pytest.mark.parametrize("url", ["http://2130706433/", "http://127.1/", "http://0x7f.1/", "http://017700000001/"])
def test_odd_spellings_of_loopback_reach_nothing(url: str) -> None:
    with pytest.raises(PermanentError):
        Bench().run_alone("api", {"url": url})


def test_a_redirect_to_an_address_that_is_not_open_is_refused(names: dict[str, list[str]]) -> None:
    names["open.example"] = names["closed.example"] = ["127.0.0.1"]
    for target in ("http://closed.example:{port}/", "http://127.0.0.1:{port}/", "http://169.254.169.254/"):
        with pytest.raises(TaskError) as caught:
            call(f"/redirect?to={target}", {"follow_redirects": True}, allow=("open.example",), host="open.example")
        assert is_refused(caught.value), target


def test_an_opened_name_opens_no_other_name_not_even_over_its_connection(names: dict[str, list[str]]) -> None:
    names["open.example"] = names["closed.example"] = ["127.0.0.1"]

    async def alone() -> tuple[JsonObject, TaskError]:
        bench = Bench(allow=("open.example",))
        async with service() as server:
            result = await bench.run("api", {"url": server.url("/echo", "open.example")})
            both = await asyncio.gather(
                bench.run("api", {"url": server.url("/echo", "open.example")}),
                bench.run("api", {"url": server.url("/echo", "closed.example")}),
                return_exceptions=True,
            )
            await bench.registry.aclose()
            assert isinstance(both[0], dict)
            assert isinstance(both[1], TaskError)
            return result, both[1]

    result, error = asyncio.run(alone())
    assert result["status"] == 200
    assert is_refused(error)


def test_an_opened_port_opens_no_other_port() -> None:
    error = failed("/", allow=("127.0.0.1:1",))
    assert is_refused(error)


def test_a_name_that_resolves_to_something_else_the_second_time_is_judged_again(names: dict[str, list[str]]) -> None:
    names["rebind.example"] = ["127.0.0.1"]

    async def alone() -> TaskError:
        bench = Bench(allow=("127.0.0.1",))
        async with service() as server, service("127.0.0.2") as inner:
            await bench.run("api", {"url": server.url("/echo", "rebind.example")})
            await bench.registry.aclose()
            names["rebind.example"] = ["127.0.0.2"]
            with pytest.raises(TaskError) as caught:
                await bench.run("api", {"url": inner.url("/echo", "rebind.example")})
            await bench.registry.aclose()
            assert inner.requests == []
            return caught.value

    assert is_refused(asyncio.run(alone()))


def test_a_host_with_an_open_and_a_closed_address_is_reached_at_the_open_one(names: dict[str, list[str]]) -> None:
    names["mixed.example"] = ["10.255.255.1", "::1", "127.0.0.1"]
    assert call("/echo", allow=("127.0.0.1",), host="mixed.example")[0]["body"] == "ok"


def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert call("/echo")[0]["body"] == "ok"
