"""Wake-ups and cancellations over a real server: who hears them, and that listeners come back."""

# redis-py leaves its keyword arguments untyped.
# pyright: reportUnknownMemberType=false

import threading
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import pytest
import redis

from scheduler.domain.errors import ConfigurationError, QueueUnavailable
from scheduler.embedded import EmbeddedServers
from scheduler.queue import Signals, channel
from tests.eventually import eventually
from tests.integration.listening import heard


@pytest.fixture
def client(redis_url: str) -> Generator["redis.Redis"]:
    with redis.Redis.from_url(redis_url) as connection:
        yield connection


def test_listening_again_counts_as_a_call(redis_url: str) -> None:
    with heard(redis_url, "wake") as calls:
        assert list(calls) == [""]


def test_signals_are_heard_by_those_they_are_for(redis_url: str) -> None:
    with closing(Signals(redis_url)) as signals, heard(redis_url, "wake") as wakes, heard(redis_url, "cancel") as told:
        wakes.clear()
        told.clear()
        signals.cancel(42)
        eventually(lambda: list(told) == ["42"])
        signals.wake_pickers()
        eventually(lambda: list(wakes) == [""])
        assert list(told) == ["42"]


def test_other_logical_databases_do_not_hear_us(client: "redis.Redis", redis_url: str) -> None:
    other = redis.Redis.from_url(redis_url.rsplit("/", 1)[0] + "/63")
    with closing(other):
        assert channel(client, "wake") != channel(other, "wake")


def test_a_listener_outlives_a_garbled_message(client: "redis.Redis", redis_url: str) -> None:
    with heard(redis_url, "cancel") as calls:
        client.publish(channel(client, "cancel"), b"\xff\xfe")
        client.publish(channel(client, "cancel"), "43")
        eventually(lambda: calls[-1] == "43")


def test_a_listener_that_stops_ends_its_thread(redis_url: str) -> None:
    with heard(redis_url, "elsewhere"):
        assert "listener-elsewhere" in {thread.name for thread in threading.enumerate()}
    eventually(lambda: "listener-elsewhere" not in {thread.name for thread in threading.enumerate()})


def test_a_restarted_server_is_found_again(data_dir: Path) -> None:
    with EmbeddedServers(data_dir, durable=False, wanted=("valkey",)) as servers:
        url = servers.redis_url
        with closing(Signals(url)) as signals, heard(url, "wake") as calls:
            calls.clear()
            servers.valkey.stop(immediate=True)
            with pytest.raises(QueueUnavailable):
                signals.wake_pickers()
            servers.valkey.start()
            eventually(lambda: list(calls) == [""], 20)  # it listens again, and says so
            signals.wake_pickers()
            eventually(lambda: len(calls) == 2)


def test_the_servers_version_is_known(redis_url: str) -> None:
    with closing(Signals(redis_url)) as signals:
        version = signals.ping()
    assert version.is_supported
    assert version.kind in {"Redis", "Valkey"}


@pytest.mark.parametrize("url", ["http://127.0.0.1", "127.0.0.1:6379", "redis://127.0.0.1:port/0"])
def test_a_url_that_is_none_is_named(url: str) -> None:
    with pytest.raises(ConfigurationError, match="REDIS_URL"):
        Signals(url)
