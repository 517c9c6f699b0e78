"""PgBouncer in transaction mode, before the PostgreSQL of the tests."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from tests.acceptance.cluster import free_port, is_listening
from tests.eventually import eventually
from tests.servers import reachable_folder

PROGRAM: Final = shutil.which("pgbouncer", path=os.pathsep.join((os.defpath, "/usr/sbin", "/usr/local/sbin")))
SERVER_CONNECTIONS: Final = 4
"""Fewer than clients: each transaction finds another connection."""

_CONFIGURATION: Final = """
[databases]
* = host={host} port={port} user={user} password='{password}'
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 500
"""


@contextmanager
def before(database_url: str) -> Generator[SplitResult]:
    """A running PgBouncer, as a URL of the same database; `path` may name any other of that server."""
    assert PROGRAM
    parts, listen = urlsplit(database_url), free_port()
    configuration = _CONFIGURATION.format(
        host=parts.hostname,
        port=parts.port,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or "").replace("'", "''"),
        listen=listen,
        size=SERVER_CONNECTIONS,
    )
    with reachable_folder() as folder:
        folder.mkdir()
        file = folder / "pgbouncer.ini"
        file.write_text(configuration)
        account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None  # it refuses root
        if account:
            os.chown(file, account.pw_uid, account.pw_gid)
        file.chmod(0o600)
        process = subprocess.Popen(
            [PROGRAM, "-q", str(file)], user=account.pw_uid if account else None, stderr=subprocess.PIPE
        )
        try:
            eventually(lambda: is_listening(listen), what="a PgBouncer that listens")
            yield parts._replace(netloc=f"{parts.username}@127.0.0.1:{listen}")
        finally:
            process.kill()
            process.communicate()
