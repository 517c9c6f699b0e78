"""`api` against a real HTTP server: what it sends, and what it makes of the answer."""

import asyncio
import base64
import hmac
import json
import socket
from typing import cast

import pytest

from scheduler.domain.errors import PermanentError, RetryLater, TaskError
from scheduler.domain.job import JsonObject, JsonValue
from tests.integration.tasks.running import Bench
from tests.integration.tasks.service import Service, call, failed, service


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
        (b"[" * 300 + b"]" * 300, "application/json", "[" * 300 + "]" * 300),
        (b"", "application/json", ""),
    ],
)
def test_whatever_the_server_sends_can_be_stored(raw: bytes, kind: str, body: JsonValue) -> None:
    result, _, _ = call("/raw", {"query": {"hex": raw.hex(), "type": kind}})
    assert "\x00" not in json.dumps(result)
    if body is not None:
        assert result["body"] == body


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


def test_a_signed_request_tells_who_sent_it_and_no_other_origin_hears_of_it() -> None:
    secret = base64.b64encode(bytes(range(32))).decode()

    async def alone() -> tuple[Service, Service]:
        bench = Bench(allow=("127.0.0.1",), signing_secret=f"whsec_{secret}")
        async with service() as first, service() as second:
            data: JsonObject = {"method": "POST", "json": {"é": 1}, "sign": True, "follow_redirects": True}
            query: JsonObject = {"to": second.url("/echo"), "code": 307}
            await bench.run("api", {**data, "url": first.url("/redirect"), "query": query})
            await bench.registry.aclose()
            return first, second

    first, second = asyncio.run(alone())
    headers, body = first.requests[0].headers, first.bodies[0]
    signed = b".".join((b"job-42", headers["webhook-timestamp"].encode(), body))
    expected = base64.b64encode(hmac.digest(bytes(range(32)), signed, "sha256")).decode()
    assert headers["webhook-id"] == "job-42"
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert second.bodies == [body]
    assert not [name for name in second.requests[0].headers if name.lower().startswith("webhook")]


def test_a_request_is_not_sent_unsigned_when_there_is_no_secret() -> None:
    error = failed("/echo", {"sign": True})
    assert isinstance(error, PermanentError)
    assert "API_TASK_SIGNING_SECRET" in str(error)
