"""Browsers and proxies: whose pages may call, and who is believed about where a request comes from."""

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_network
from typing import Final

import pytest

from scheduler.api.app import Services, create_app
from scheduler.api.client_address import forwarded_for
from tests.integration.api.calls import Api

CONSOLE: Final = "https://console.example.com"


def test_no_page_of_another_site_may_call(api: Api) -> None:
    answer = api.get("/api/jobs", headers={"Origin": CONSOLE})
    assert "Access-Control-Allow-Origin" not in answer.headers
    preflight = {"Origin": CONSOLE, "Access-Control-Request-Method": "POST"}
    assert api.as_("").send("OPTIONS", "/api/job", headers=preflight).status == 401


def test_a_page_that_is_named_may(services: Services) -> None:
    api = Api(create_app(replace(services, cors_origins=(CONSOLE,))))
    preflight = {"Origin": CONSOLE, "Access-Control-Request-Method": "POST"}
    answer = api.as_("").send("OPTIONS", "/api/job", headers=preflight)
    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Origin"] == CONSOLE
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers
    created = api.post("/api/job", {"task": {"type": "noop", "data": {}}}, {"Origin": CONSOLE})
    created.ok(201)
    assert created.headers["Access-Control-Allow-Origin"] == CONSOLE
    assert "Origin" in created.headers["Vary"]
    refused = api.as_("").get("/api/jobs", headers={"Origin": CONSOLE})
    refused.problem(401)  # which its page may read
    assert refused.headers["Access-Control-Allow-Origin"] == CONSOLE
    assert "Access-Control-Allow-Origin" not in api.get("/api/jobs", headers={"Origin": "https://evil.example"}).headers


@pytest.mark.parametrize(
    ("headers", "is_told"),
    [({}, False), ({"X-Forwarded-Proto": "https"}, True), ({"X-Forwarded-Proto": "http"}, False)],
)
def test_strict_transport_behind_a_trusted_proxy(services: Services, headers: Mapping[str, str], is_told: bool) -> None:
    behind = Api(create_app(replace(services, trusted_proxies=(ip_network("127.0.0.1"),))))
    assert ("Strict-Transport-Security" in behind.get("/healthz", headers=headers).headers) == is_told
    assert "Strict-Transport-Security" not in Api(create_app(services)).get("/healthz", headers=headers).headers


@pytest.mark.parametrize(
    ("peer", "hops", "address"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["203.0.113.9"], "192.0.2.1"),
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["198.51.100.1", "203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", ["10.0.0.3"], "10.0.0.3"),
        ("10.0.0.1", ["nonsense"], "10.0.0.1"),
        ("", ["203.0.113.9"], ""),
    ],
)
def test_only_a_trusted_proxy_is_believed(peer: str, hops: list[str], address: str) -> None:
    assert forwarded_for(peer, hops, [ip_network("10.0.0.0/8")]) == address
