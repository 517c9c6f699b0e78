"""REDIS_URL that names sentinels: two real servers and a real sentinel, which makes the second server the primary."""

# redis-py leaves its keyword arguments untyped.
# pyright: reportUnknownMemberType=false

import signal
import subprocess
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import redis
from limits.storage import storage_from_string

from scheduler.domain.errors import ConfigurationError, QueueUnavailable
from scheduler.embedded.account import choose_account
from scheduler.embedded.process import end_with_parent, find_free_port
from scheduler.embedded.programs import find_valkey
from scheduler.executor.worker import MessageWorker
from scheduler.queue import Outbox, Signals, connect
from tests.eventually import eventually
from tests.integration.listening import heard

NAME: Final = "jobs"
PASSWORD: Final = "letters-and-digits-1"
QUEUE: Final = "default"


@dataclass(frozen=True, slots=True)
class Replicated:
    """A primary that can be killed, and the URL that goes on leading to whoever is the primary."""

    url: str
    primary: "subprocess.Popen[bytes]"


@pytest.fixture
def replicated(tmp_path: Path) -> Generator[Replicated]:
    common = f'bind 127.0.0.1\nrequirepass "{PASSWORD}"\nmasterauth "{PASSWORD}"\nrepl-diskless-sync-delay 0\nsave ""\n'
    first, second, sentinel = find_free_port(), find_free_port(), find_free_port()
    with ExitStack() as running:
        primary = running.enter_context(_server(tmp_path / "first", first, common))
        running.enter_context(_server(tmp_path / "second", second, f"{common}replicaof 127.0.0.1 {first}\n"))
        eventually(lambda: _information(second)["master_link_status"] == "up", 20)
        watched = (
            f'bind 127.0.0.1\nrequirepass "{PASSWORD}"\nsentinel monitor {NAME} 127.0.0.1 {first} 1\n'
            f'sentinel auth-pass {NAME} "{PASSWORD}"\nsentinel down-after-milliseconds {NAME} 300\n'
            f"sentinel failover-timeout {NAME} 2000\n"
        )
        running.enter_context(_server(tmp_path / "sentinel", sentinel, watched, "--sentinel"))
        eventually(lambda: _information(sentinel)["master0"]["slaves"] == 1, 20)
        yield Replicated(f"redis+sentinel://:{PASSWORD}@127.0.0.1:{sentinel}/{NAME}", primary)


def test_messages_and_wake_ups_follow_the_primary(replicated: Replicated) -> None:
    worker = MessageWorker(replicated.url, queues=(QUEUE,), name="one", capacity=10)
    worker.announce(busy=False, finished=0, failed=0)
    with (
        closing(Outbox(replicated.url)) as outbox,
        closing(Signals(replicated.url)) as signals,
        heard(replicated.url, "wake") as calls,
    ):
        outbox.push(QUEUE, [1])
        assert _received(worker) == (1,)

        replicated.primary.kill()
        eventually(lambda: _succeeds(lambda: worker.announce(busy=False, finished=1, failed=0)), 30)
        eventually(lambda: _succeeds(lambda: outbox.push(QUEUE, [2])), 30)
        assert eventually(lambda: _received(worker), 30) == (2,)
        calls.clear()
        eventually(lambda: _succeeds(signals.wake_pickers) and calls, 30)


def test_requests_are_counted_there_too(replicated: Replicated) -> None:
    counts = storage_from_string(replicated.url, socket_timeout=1.0)
    assert counts.incr("someone", expiry=60) == 1
    with closing(connect(replicated.url, timeout=1.0)) as client:
        assert client.keys("*someone*")


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://:secret@127.0.0.1:26379",
        "redis+sentinel://:secret@127.0.0.1/jobs",
        "redis+sentinel://:secret@127.0.0.1:26379,127.0.0.1/jobs",
        "redis+sentinel://:secret@127.0.0.1:port/jobs",
    ],
)
def test_an_incomplete_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        connect(url, timeout=1.0)
    assert "REDIS_URL" in str(refused.value)
    assert "secret" not in str(refused.value)


def _received(worker: MessageWorker) -> tuple[int, ...]:
    try:
        message = worker.receive()
    except QueueUnavailable:
        return ()
    return message.ids if message else ()


def _succeeds(act: Callable[[], object]) -> bool:
    try:
        act()
    except QueueUnavailable:
        return False
    return True


def _information(port: int) -> dict[str, Any]:
    try:
        with redis.Redis(port=port, password=PASSWORD) as client:
            return client.info()
    except redis.ConnectionError as error:
        raise AssertionError("it does not answer yet") from error


@contextmanager
def _server(folder: Path, port: int, configuration: str, *options: str) -> Generator["subprocess.Popen[bytes]"]:
    """A server with a folder of its own; a sentinel writes what it learns into its configuration."""
    folder.mkdir()
    (folder / "server.conf").write_text(f"port {port}\n{configuration}")
    process = subprocess.Popen(
        [find_valkey(choose_account(folder)), "server.conf", *options],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        preexec_fn=end_with_parent(signal.SIGKILL),
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
