"""A way to the API that breaks on demand."""

import http.client
import threading
from collections import deque
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

Fault = Literal["lost", "cut", 429, 503]
"""The answer is thrown away; it ends in its midst; or another server answers in its stead."""

RETRY_AFTER = {429: "1", 503: "0"}


@dataclass
class Way:
    """What is to go wrong with the next requests, one after the other, and what came along."""

    url: str = ""
    faults: deque[Fault] = field(default_factory=deque[Fault])
    requests: list[str] = field(default_factory=list[str])
    keys: list[str | None] = field(default_factory=list[str | None])


@contextmanager
def flaky(upstream: str, faults: Iterable[Fault] = (), *, retry_after: str | None = None) -> Generator[Way]:
    """A way to `upstream`, on which these go wrong."""
    way = Way(faults=deque(faults))
    host = urlsplit(upstream).netloc

    class Handler(BaseHTTPRequestHandler):
        def _pass(self) -> None:
            way.requests.append(f"{self.command} {self.path}")
            way.keys.append(self.headers["Idempotency-Key"])
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            fault = way.faults.popleft() if way.faults else None
            if isinstance(fault, int):
                self._answer(fault, b"{}", [("Retry-After", retry_after or RETRY_AFTER[fault])])
                return
            connection = http.client.HTTPConnection(host, timeout=30)
            connection.request(self.command, self.path, body, {**self.headers, "Host": host})
            response = connection.getresponse()
            content = response.read()
            connection.close()
            if fault != "lost":
                kept = [each for each in response.getheaders() if each[0].lower() == "content-type"]
                self._answer(response.status, content, kept, is_cut=fault == "cut")

        do_GET = do_POST = do_PATCH = do_DELETE = _pass  # noqa: N815 - http.server's names

        def _answer(self, status: int, content: bytes, headers: list[tuple[str, str]], *, is_cut: bool = False) -> None:
            self.send_response(status)
            for name, value in headers or [("Content-Type", "application/json")]:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if is_cut else content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that it overrides
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        way.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield way
        finally:
            server.shutdown()
            thread.join()
