"""A small HTTP server for Prometheus in the processes that have no other: GET /metrics, GET /healthz."""

import errno
import socket
import socketserver
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from scheduler.domain.errors import ConfigurationError
from scheduler.logs import get_log

log = get_log("metrics")

PORTS: Final = 32
"""Processes of a host share one METRICS_PORT: each takes the first of so many ports from there that is free."""

_TEXT: Final = "text/plain; charset=utf-8"


class _Handler(BaseHTTPRequestHandler):
    server_version = "scheduler"
    sys_version = ""
    timeout = 10

    def do_GET(self) -> None:
        match self.path.partition("?")[0]:
            case "/healthz":
                self._answer(200, _TEXT, b"ok\n")
            case "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest())
            case _:
                self._answer(404, _TEXT, b"There is /healthz and /metrics.\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Nothing: scrapes are no news."""

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class MetricsServer(ThreadingHTTPServer):
    """Answers from threads that end with the process."""

    daemon_threads = True

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer's own asks the DNS for our name
        self.server_port = int(self.socket.getsockname()[1])


def serve_metrics(host: str, port: int) -> MetricsServer:
    """Serve from a thread until `shutdown()`, at the first free port of PORTS from `port` on, or any when that is 0.

    Raises ConfigurationError when none can be listened on.
    """
    server = _listen(host, port)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    shown = f"[{host}]" if ":" in host else host
    log.info("metrics ready", address=f"http://{shown}:{server.server_port}/metrics")
    return server


def _listen(host: str, first: int) -> MetricsServer:
    for port in range(first, min(first + PORTS, 65_536) if first else 1):
        try:
            return MetricsServer(host, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise ConfigurationError(
                    f"METRICS_HOST {host} with METRICS_PORT {port} cannot be listened on: {error.strerror}."
                ) from None
    raise ConfigurationError(
        f"METRICS_PORT {first} on {host} and the {PORTS - 1} ports after it are taken: set METRICS_PORT to another."
    )
