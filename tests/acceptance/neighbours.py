"""Who the product talks to: a mail server, a web server, and a wire to Redis that can be cut."""

import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self, cast
from urllib.parse import urlsplit

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

_CHUNK = 65536


class Mailbox:
    """Keeps what arrives."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.envelopes: list[Envelope] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.envelopes.append(envelope)
        return "250 OK"

    @classmethod
    @contextmanager
    def serving(cls) -> Generator[Self]:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            mailbox = cls(cast("int", probe.getsockname()[1]))
        controller = Controller(mailbox, hostname="127.0.0.1", port=mailbox.port)
        controller.start()
        try:
            yield mailbox
        finally:
            controller.stop()


class Website:
    """Answers every POST with what it was sent, and remembers the headers."""

    def __init__(self) -> None:
        self.requests: list[dict[str, str]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                site.requests.append({name.lower(): value for name, value in self.headers.items()})
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port

    @classmethod
    @contextmanager
    def serving(cls) -> Generator[Self]:
        website = cls()
        thread = threading.Thread(target=website._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield website
        finally:
            website._server.shutdown()
            website._server.server_close()
            thread.join()


class Wire:
    """A TCP connection to Redis that goes dead, without closing, at the first message pushed to a queue."""

    def __init__(self, redis_url: str, *, deliver: bool) -> None:
        """`deliver`: the push still arrives, and only its answer does not come back."""
        self._target = urlsplit(redis_url)
        self._deliver = deliver
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self.cut = threading.Event()

    @property
    def url(self) -> str:
        """Redis, as it is reached over the wire."""
        port = cast("int", self._listener.getsockname()[1])
        credentials = f":{self._target.password}@" if self._target.password else ""
        return self._target._replace(netloc=f"{credentials}127.0.0.1:{port}").geturl()

    @contextmanager
    def laid(self) -> Generator[Self]:
        threading.Thread(target=self._accept, daemon=True).start()
        try:
            yield self
        finally:
            for each in (self._listener, *self._sockets):
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed: the test is over
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection((self._target.hostname or "127.0.0.1", self._target.port or 6379))
                self._sockets += [client, server]
                threading.Thread(target=self._carry, args=(client, server, b"rq:job:"), daemon=True).start()
                threading.Thread(target=self._carry, args=(server, client, b""), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, mark: bytes) -> None:
        with suppress(OSError):
            while chunk := source.recv(_CHUNK):
                if mark and mark in chunk:
                    self.cut.set()
                    if self._deliver:
                        sink.sendall(chunk)
                elif not self.cut.is_set():
                    sink.sendall(chunk)
            sink.shutdown(socket.SHUT_WR)
