"""The command line's client against servers that are not there, or are something else."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from scheduler.cli.jobs import jobs
from scheduler.domain.errors import ConfigurationError
from tests.integration.cli.running import Shell, free_port

SECRET = "s3cret-t0ken"


@contextmanager
def serving(status: int, body: str, **headers: str) -> Generator[tuple[str, list[str | None]]]:
    """A server that always answers the same; yields its address and the Authorization headers that it got."""
    seen: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers["Authorization"])
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that it overrides
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", seen
        finally:
            server.shutdown()
            thread.join()


def test_an_api_that_is_not_there_is_exit_code_5_and_advice(shell: Shell) -> None:
    port = free_port()
    shell.setenv(API_PORT=str(port))
    result = shell.run(jobs, "list")
    assert result.exit_code == 5
    assert f"http://127.0.0.1:{port} cannot be reached (Connection refused)" in result.stderr
    assert "scheduler up" in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_token_is_sent(shell: Shell) -> None:
    shell.setenv(SCHEDULER_TOKEN=SECRET)
    with serving(200, '{"jobs": []}') as (url, seen):
        assert shell.run(jobs, "list", "--url", url).exit_code == 0
    assert seen == [f"Bearer {SECRET}"]


def test_a_redirect_does_not_carry_the_token_away(shell: Shell) -> None:
    shell.setenv(SCHEDULER_TOKEN=SECRET)
    with serving(200, '{"jobs": []}') as (elsewhere, seen), serving(302, "", Location=elsewhere) as (url, _):
        result = shell.run(jobs, "list", "--url", url)
    assert result.exit_code == 1
    assert "302" in result.stderr
    assert elsewhere in result.stderr
    assert not seen


@pytest.mark.parametrize("body", ["<html>", "[]", "{}", '{"jobs": 5}', "[" * 100_000])
def test_a_server_that_is_something_else_is_named(shell: Shell, body: str) -> None:
    with serving(200, body) as (url, _):
        result = shell.run(jobs, "list", "--url", url)
    assert result.exit_code == 1
    assert "no scheduler API" in result.stderr


def test_a_problem_cannot_steer_the_terminal(shell: Shell) -> None:
    problem = '{"detail": "no \\u001b[2Jluck\\nreally"}'
    with serving(403, problem, Content_Type="application/problem+json") as (url, _):
        result = shell.run(jobs, "list", "--url", url)
    assert result.stderr == "scheduler: no [2Jluck really\n"


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://x",
        "nonsense",
        "http://",
        "http://h:99999",
        "http://h/?a=b",
        "http://h\n.x",
        "http://a..b",
        "http://xn--a",
        f"http://{'a' * 64}",
        "http://ü",
    ],
)
def test_an_address_that_is_none_is_refused(shell: Shell, url: str) -> None:
    error = shell.run(jobs, "list", "--url", url).exception
    assert isinstance(error, ConfigurationError)
    assert "http://127.0.0.1:3000" in str(error)


@pytest.mark.parametrize(
    ("url", "token"), [(f"http://me:{SECRET}@127.0.0.1:1", ""), ("http://127.0.0.1:1", f"{SECRET}\nX-Other: 1")]
)
def test_a_secret_in_the_wrong_place_is_not_shown(shell: Shell, url: str, token: str) -> None:
    shell.setenv(SCHEDULER_TOKEN=token)
    error = shell.run(jobs, "list", "--url", url).exception
    assert isinstance(error, ConfigurationError)
    assert SECRET not in str(error)
    assert "SCHEDULER_TOKEN" in str(error)
