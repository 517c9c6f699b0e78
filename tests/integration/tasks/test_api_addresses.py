"""Which addresses `api` refuses: judged as they are dialled, whatever names, redirects and name servers say."""

import asyncio

import pytest

from scheduler.domain.errors import PermanentError, TaskError
from scheduler.domain.job import JsonObject
from scheduler.tasks.addresses import AllowList
from scheduler.tasks.api import api_task
from scheduler.tasks.network import NetworkGuard
from scheduler.tasks.registry import Registry
from tests.integration.tasks.hostile import name_server
from tests.integration.tasks.running import Bench
from tests.integration.tasks.service import Service, call, failed, is_refused, service


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


def test_a_name_whose_answer_changes_between_two_look_ups_is_judged_by_what_is_dialled() -> None:
    async def alone() -> tuple[JsonObject, TaskError, list[str]]:
        answers = {"rebind.example": [["127.0.0.1"], ["127.0.0.2"]]}
        async with name_server(answers) as resolver, service() as server, service("127.0.0.2") as inner:
            registry = Registry([api_task(NetworkGuard(AllowList(["127.0.0.1"]), resolver))])
            bench = Bench(registry=registry)
            first = await bench.run("api", {"url": server.url("/echo", "rebind.example")})
            await registry.aclose()  # and with it what the connector remembers of names
            with pytest.raises(TaskError) as caught:
                await bench.run("api", {"url": inner.url("/echo", "rebind.example")})
            await registry.aclose()
            assert inner.requests == []
            return first, caught.value, resolver.asked

    first, error, asked = asyncio.run(alone())
    assert first["status"] == 200
    assert is_refused(error)
    assert asked == ["rebind.example"] * 2


def test_a_host_with_an_open_and_a_closed_address_is_reached_at_the_open_one(names: dict[str, list[str]]) -> None:
    names["mixed.example"] = ["10.255.255.1", "::1", "127.0.0.1"]
    assert call("/echo", allow=("127.0.0.1",), host="mixed.example")[0]["body"] == "ok"


def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert call("/echo")[0]["body"] == "ok"
