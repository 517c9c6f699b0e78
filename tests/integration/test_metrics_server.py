"""Where a process answers Prometheus."""

import urllib.request
from contextlib import ExitStack

import pytest

from scheduler.domain.errors import ConfigurationError
from scheduler.metrics_server import PORTS, MetricsServer, serve_metrics
from tests.acceptance.cluster import free_port


def serving(stack: ExitStack, port: int) -> MetricsServer:
    server = serve_metrics("127.0.0.1", port)
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
        serve_metrics("192.0.2.1", 9464)
