"""The API's queues as the contract has them, for commands that want nothing else."""

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@contextmanager
def serving_queues() -> Generator[str]:
    """A server that remembers what was set of each queue; its address."""
    queues: dict[str, dict[str, Any]] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/api/queue/stats"
            self._answer({"queues": [*queues.values()]})

        def do_POST(self) -> None:
            _, _, _, name, action = self.path.split("/")
            self._change(name, {"paused": {"pause": True, "resume": False}[action]})

        def do_PATCH(self) -> None:
            changes = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert changes.keys() <= {"max_running", "rate_limit"}
            self._change(self.path.removeprefix("/api/queues/"), changes)

        def _change(self, name: str, changes: dict[str, Any]) -> None:
            fresh: dict[str, Any] = {"name": name, "paused": False, "max_running": None, "rate_limit": None}
            queues[name] = {**queues.get(name, fresh), **changes}
            self._answer(queues[name])

        def _answer(self, document: dict[str, Any]) -> None:
            content = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that it overrides
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
