"""`scheduler up`: everything on this machine, in the foreground, until Ctrl-C."""

import errno
import os
import secrets
import shlex
import signal
import socket
import sys
import time
from contextlib import ExitStack

import click
from pydantic import SecretStr

from scheduler.cli.processes import Processes
from scheduler.daemon import LIFELINE
from scheduler.domain.errors import ConfigurationError
from scheduler.embedded import EmbeddedServers, ServerName
from scheduler.settings import (
    Settings,
    jwt_secret_file,
    keep_secret,
    load_settings,
    publish_servers,
    read_secret,
)
from scheduler.wiring.accounts import Admin, ensure_admin
from scheduler.wiring.common import migrate

_PORT_PATIENCE_SECONDS = 2.0
"""How long the API of an `up` that was killed may still hold the port."""


@click.command()
def up() -> None:
    """Run everything here: the four processes, and PostgreSQL and Valkey where no URL is set."""
    started = time.monotonic()
    settings = load_settings()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C, until the processes run
    try:
        exit_code = _run(settings, started)
    except KeyboardInterrupt:
        exit_code = 0
    sys.exit(exit_code)


def _run(settings: Settings, started: float) -> int:
    require_free_port(settings.api_host, settings.api_port)
    with ExitStack() as stack:
        urls, servers = _start_servers(settings, stack)
        stack.callback(_ignore_signals)  # nothing interrupts the servers' own stop
        settings = settings.model_copy(update={"database_url": SecretStr(urls["DATABASE_URL"])})
        migrate(settings)
        for workspace in settings.workspaces:
            workspace.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        signing = {"JWT_SECRET": ",".join(settings.jwt_secrets) or _kept_secret(settings)}
        admin = ensure_admin(settings)
        environment = {**os.environ, **urls, **signing, LIFELINE: str(os.getpid()), "PYTHONUNBUFFERED": "1"}
        return Processes(
            settings, environment, servers, lambda: _greet(settings, admin, time.monotonic() - started)
        ).run()


def _kept_secret(settings: Settings) -> str:
    """The signing secret of earlier starts, or a new one."""
    file = jwt_secret_file(settings)
    if not (kept := read_secret(file)):
        kept = secrets.token_hex(32)
        keep_secret(file, kept)
    return kept


def _start_servers(settings: Settings, stack: ExitStack) -> tuple[dict[str, str], EmbeddedServers | None]:
    """Start those for which no URL is set; returns both URLs, and the servers if there are any."""
    urls = {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "REDIS_URL": settings.redis_url.get_secret_value(),
    }
    wanted: list[ServerName] = []
    if not urls["DATABASE_URL"]:
        wanted.append("postgres")
    if not urls["REDIS_URL"]:
        wanted.append("valkey")
    servers = None
    if wanted:
        servers = stack.enter_context(EmbeddedServers(settings.data_dir, wanted=wanted))
        urls["DATABASE_URL"] = urls["DATABASE_URL"] or servers.database_url
        urls["REDIS_URL"] = urls["REDIS_URL"] or servers.redis_url
        published = publish_servers(settings, database_url=urls["DATABASE_URL"], redis_url=urls["REDIS_URL"])
        stack.callback(published.unlink, missing_ok=True)
    return urls, servers


def require_free_port(host: str, port: int) -> None:
    """Raises ConfigurationError when the API could not listen there."""
    deadline = time.monotonic() + _PORT_PATIENCE_SECONDS
    while True:
        try:
            socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
        except OSError as fault:
            if fault.errno != errno.EADDRINUSE:
                raise ConfigurationError(
                    f"API_HOST {host} with API_PORT {port} cannot be listened on: {fault.strerror}."
                ) from None
            if time.monotonic() > deadline:
                raise ConfigurationError(
                    f"API_PORT {port} on {host} is taken: stop what listens there, or set API_PORT to a free one."
                ) from None
            time.sleep(0.05)
        else:
            return


def _greet(settings: Settings, admin: Admin, seconds: float) -> None:
    host = f"[{settings.api_host}]" if ":" in settings.api_host else settings.api_host
    address = f"http://{host}:{settings.api_port}"
    click.echo(f"""
  Ready after {seconds:.1f} s: {address} (its API is described at {address}/docs)
  {_login(admin)} Data is kept in {settings.data_dir}. Try it:

  curl -X POST {address}/api/job -H "Authorization: Bearer $(cat {shlex.quote(str(admin.key_file))})" \\
       -H 'Content-Type: application/json' -d '{{"task": {{"type": "create_folder", "data": {{"path": "hello"}}}}}}'

  Ctrl-C stops everything.
""")


def _login(admin: Admin) -> str:
    if admin.new_password:
        return f"Log in as {admin.email} with the password {admin.new_password} (shown this once)."
    return f"Log in as {admin.email}."


def _ignore_signals() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
