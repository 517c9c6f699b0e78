"""deploy/Dockerfile: what it copies is there, and its health check tells a ready process from one that is not."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Final

import pytest

from tests.unit.deploy.program import ROOT

TEXT: Final = (ROOT / "deploy" / "Dockerfile").read_text("utf-8").replace("\\\n", " ")


def test_it_copies_what_is_there_and_not_ignored() -> None:
    ignored = (ROOT / "deploy" / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    sources = [word for words in re.findall(r"^COPY (?!--from)(.+) \S+$", TEXT, re.MULTILINE) for word in words.split()]
    assert len(sources) >= 6
    for source in sources:
        assert (ROOT / source).exists()
        assert f"!{source}" in ignored


def test_its_user_is_a_number_which_is_not_root() -> None:
    (user,) = re.findall(r"^USER (\d+)$", TEXT, re.MULTILINE)  # Kubernetes cannot tell that of a name
    assert int(user) > 0


@pytest.mark.parametrize(("status", "is_healthy"), [(200, True), (503, False)])
def test_its_health_check_asks_the_process(status: int, is_healthy: bool) -> None:
    (command,) = re.findall(r"^HEALTHCHECK .*CMD (\[.+\])$", TEXT, re.MULTILINE)
    _, *arguments = json.loads(command)
    with _answering(status) as port:
        check = subprocess.run(
            [sys.executable, *arguments], env={**os.environ, "PROBE_PORT": str(port)}, capture_output=True, check=False
        )
    assert (check.returncode == 0) == is_healthy


@contextmanager
def _answering(status: int) -> Generator[int]:
    """A server that answers /readyz so, and nothing else."""

    class Probe(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()

    server = HTTPServer(("127.0.0.1", 0), Probe)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
