"""A small HTTP server for Prometheus and probes, in the processes that have no other."""

import errno
import socket
import socketserver
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, cast

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from scheduler import __version__
from scheduler.domain.errors import ConfigurationError
from scheduler.logs import get_log
from scheduler.probes import Check, Look, Pulse

log = get_log("metrics")

PORTS: Final = 32
"""Processes of a host share one METRICS_PORT: each takes the first of so many ports from there that is free."""

_TEXT: Final = "text/plain; charset=utf-8"
_JSON: Final = "application/json"


class _Handler(BaseHTTPRequestHandler):
    """GET /metrics, /healthz, /readyz."""

    server_version = "scheduler"
    sys_version = ""
    timeout = 10

    def do_GET(self) -> None:
        asked = cast("MetricsServer", self.server)
        match self.path.partition("?")[0]:
            case "/healthz":
                is_live = asked.pulse.is_live()
                body = {"status": "ok" if is_live else "stuck", "version": __version__}
                self._answer(200 if is_live else 503, _JSON, orjson.dumps(body))
            case "/readyz":
                checks = {**asked.look(), "loop": asked.pulse.check()}
                is_ready = all(check.is_right for check in checks.values())
                self._answer(200 if is_ready else 503, _JSON, _readiness(checks, is_ready=is_ready))
            case "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest())
            case _:
                self._answer(404, _TEXT, b"There is /healthz, /readyz and /metrics.\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Nothing: scrapes are no news."""

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _readiness(checks: Mapping[str, Check], *, is_ready: bool) -> bytes:
    """The answer of /readyz, in the form that the API gives it."""
    told = {
        name: {"status": "ok" if check.is_right else "failed", "detail": check.detail} for name, check in checks.items()
    }
    return orjson.dumps({"status": "ready" if is_ready else "unready", "checks": told})


class MetricsServer(ThreadingHTTPServer):
    """Answers from threads that end with the process."""

    daemon_threads = True

    def __init__(self, host: str, port: int, pulse: Pulse, look: Look) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.pulse: Final = pulse
        self.look: Final = look
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer's own asks the DNS for our name
        self.server_port = int(self.socket.getsockname()[1])


def serve_metrics(host: str, port: int, pulse: Pulse, look: Look) -> MetricsServer:
    """Serve from a thread until `shutdown()`, at the first free port of PORTS from `port` on, or any when that is 0.

    Raises ConfigurationError when none can be listened on.
    """
    server = _listen(host, port, pulse, look)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    shown = f"[{host}]" if ":" in host else host
    log.info("metrics ready", address=f"http://{shown}:{server.server_port}/metrics")
    return server


def _listen(host: str, first: int, pulse: Pulse, look: Look) -> MetricsServer:
    for port in range(first, min(first + PORTS, 65_536) if first else 1):
        try:
            return MetricsServer(host, port, pulse, look)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise ConfigurationError(
                    f"METRICS_HOST {host} with METRICS_PORT {port} cannot be listened on: {error.strerror}."
                ) from None
    raise ConfigurationError(
        f"METRICS_PORT {first} on {host} and the {PORTS - 1} ports after it are taken: set METRICS_PORT to another."
    )
