"""One trace from the request of a client through all processes, as a collector gets it."""

import gzip
import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from scheduler.domain.caller import OPERATOR
from scheduler.domain.job import NewJob
from scheduler.domain.retry import Backoff, RetryPolicy
from scheduler.domain.schedule import NewSchedule, Timing
from scheduler.store.schedules import create_schedule
from tests.acceptance.cluster import Cluster, free_port
from tests.eventually import eventually

TRACE = "0af7651916cd43dd8448eb211c80319c"
"""Somebody's who calls us."""


@dataclass
class Collector:
    """Spans by their names: process, trace and parent. And the traceparents that came with other requests."""

    url: str = ""
    spans: dict[str, tuple[str, str, str]] = field(default_factory=dict[str, tuple[str, str, str]])
    traces: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """The name and the trace of every one."""
    asked_with: list[str | None] = field(default_factory=list[str | None])

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest()
        request.ParseFromString(body)
        for group in request.resource_spans:
            process = next(each.value.string_value for each in group.resource.attributes if each.key == "service.name")
            for each in [each for scope in group.scope_spans for each in scope.spans]:
                self.spans[each.name] = (process, each.trace_id.hex(), each.parent_span_id.hex())
                self.traces.append((each.name, each.trace_id.hex()))


@contextmanager
def collecting() -> Generator[Collector]:
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            collector.asked_with.append(self.headers.get("traceparent"))
            self._answer()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.take(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            self._answer()

        def _answer(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - its name there

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield collector
    server.shutdown()
    server.server_close()


def test_a_request_is_followed_through_all_processes_into_what_its_task_asks(cluster: Cluster) -> None:
    with collecting() as collector:
        cluster.settings |= {
            "api_port": free_port(),
            "api_task_allow": "127.0.0.1",
            "otel_exporter_otlp_endpoint": collector.url,
            "otel_bsp_schedule_delay": 200,
        }
        cluster.start("api", "picker", "executor")
        calling = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
        task = {"type": "api", "data": {"url": f"{collector.url}/there"}}
        answer = cluster.call("POST", "/api/job", {"task": task}, headers=calling)
        assert answer.status == 201
        cluster.reach(answer.body["id"], "completed")
        wanted = {"POST /api/job": "scheduler-api", "claim": "scheduler-picker", "attempt api": "scheduler-executor"}
        eventually(lambda: wanted.keys() <= collector.spans.keys(), what="the spans of all processes")
        assert {name: collector.spans[name][:2] for name in wanted} == {
            name: (process, TRACE) for name, process in wanted.items()
        }
        assert collector.spans["POST /api/job"][2] == "b7ad6b7169203331"
        assert collector.asked_with[0] is not None
        assert collector.asked_with[0].split("-")[1] == TRACE


def test_all_attempts_at_a_job_of_a_schedule_are_in_a_trace_of_its_own(cluster: Cluster) -> None:
    with collecting() as collector:
        cluster.settings |= {"otel_exporter_otlp_endpoint": collector.url, "otel_bsp_schedule_delay": 200}
        nodes = cluster.start("picker", "executor")
        new = NewSchedule(
            timing=Timing(cron="@every 3600s", starts_at=datetime.now(UTC) + timedelta(seconds=1)),
            job=NewJob(
                task_type="ledger_fail",
                task_data={"times": 1},
                name="traced",
                retry=RetryPolicy(Backoff.FIXED, 0, 0, jitter=False),
            ),
        )
        with cluster.database.connection() as conn:
            create_schedule(conn, OPERATOR, new)
        cluster.all_reach("completed", 1, within=30)
        for node in nodes:
            node.terminate()
            assert node.exit_code(15) == 0
        attempts = [trace for name, trace in collector.traces if name == "attempt ledger_fail"]
        claims = [trace for name, trace in collector.traces if name == "claim"]
        assert len(attempts) == len(claims) == 2  # all of them: the last ones were sent before the end
        assert len({*attempts, *claims}) == 1


def test_a_collector_that_never_answers_holds_nothing_up(cluster: Cluster) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        cluster.settings |= {
            "api_port": free_port(),
            "otel_exporter_otlp_endpoint": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "otel_exporter_otlp_timeout": 60,
            "shutdown_grace_seconds": 60,
        }
        nodes = cluster.start("api", "picker", "executor")
        cluster.reach(cluster.post_job("noop"), "completed")
        for node in nodes:
            node.terminate()
        assert [node.exit_code(within=15) for node in nodes] == [0, 0, 0]


def test_nothing_is_set_up_unless_spans_are_to_go_somewhere() -> None:
    """redis-py imports OpenTelemetry by itself where it is there: only we need what sends spans."""
    program = (
        "import sys, scheduler.wiring.api, scheduler.wiring.picker, scheduler.wiring.executor, scheduler.tracing as t;"
        "t.trace_to('', 'api'); assert not t.is_tracing();"
        "sys.exit(any(name.startswith('opentelemetry.exporter') for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
