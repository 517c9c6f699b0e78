"""Where a process answers Prometheus and probes, and what it says to these."""

import json
import urllib.error
import urllib.request
from contextlib import ExitStack
from typing import Any

import pytest

from scheduler.domain.errors import ConfigurationError
from scheduler.metrics_server import PORTS, MetricsServer, serve_metrics
from scheduler.probes import UNLIVE_SECONDS, UNREADY_SECONDS, Check, Pulse
from tests.acceptance.cluster import free_port


def serving(stack: ExitStack, port: int) -> MetricsServer:
    server = serve_metrics("127.0.0.1", port, Pulse(), dict)
    stack.callback(server.server_close)
    stack.callback(server.shutdown)
    with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/metrics", timeout=5) as answer:
        assert b"scheduler_jobs_active" in answer.read()
    return server


def test_processes_of_a_host_share_one_setting() -> None:
    first = free_port()
    with ExitStack() as stack:
        ports = [serving(stack, first).server_port for _ in range(3)]
        assert len(set(ports)) == 3
        assert ports[0] == first
        assert all(first <= port < first + PORTS for port in ports)


def test_an_address_that_is_not_ours_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"METRICS_HOST 192\.0\.2\.1 with METRICS_PORT 9464"):
        serve_metrics("192.0.2.1", 9464, Pulse(), dict)


def probe(port: int, path: str) -> tuple[int, Any]:
    """Status and body of an answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refusal:
        return refusal.code, json.load(refusal)


def test_a_loop_that_is_stuck_turns_unready_then_unlive() -> None:
    now = 1000.0
    pulse = Pulse(lambda: now)
    server = serve_metrics("127.0.0.1", 0, pulse, lambda: {"redis": Check(is_right=True, detail="Redis 8")})

    def statuses() -> tuple[int, int]:
        return probe(server.server_port, "/healthz")[0], probe(server.server_port, "/readyz")[0]

    with ExitStack() as stack:
        stack.callback(server.server_close)
        stack.callback(server.shutdown)
        assert statuses() == (200, 503)  # it lives, and has not begun
        pulse.beat(5)
        now += 5 + UNREADY_SECONDS - 1
        assert statuses() == (200, 200)
        now += 1
        assert statuses() == (200, 503)
        assert "stuck for 10 s" in probe(server.server_port, "/readyz")[1]["checks"]["loop"]["detail"]
        now += UNLIVE_SECONDS - UNREADY_SECONDS
        assert statuses() == (503, 503)
        pulse.beat(5)
        assert statuses() == (200, 200)


def test_what_is_not_right_is_named() -> None:
    pulse = Pulse()
    pulse.beat(60)
    server = serve_metrics("127.0.0.1", 0, pulse, lambda: {"redis": Check(is_right=False, detail="Redis is away.")})
    with ExitStack() as stack:
        stack.callback(server.server_close)
        stack.callback(server.shutdown)
        status, body = probe(server.server_port, "/readyz")
        assert (status, body["status"]) == (503, "unready")
        assert body["checks"]["redis"] == {"status": "failed", "detail": "Redis is away."}
        assert probe(server.server_port, "/healthz")[0] == 200  # to start anew brings no server back
