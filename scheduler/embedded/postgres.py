"""The PostgreSQL of `scheduler up`."""

import os
import re
import signal
import subprocess
import tempfile
from pathlib import Path

from scheduler.domain.errors import ConfigurationError
from scheduler.embedded.account import CLEAN_ENVIRONMENT
from scheduler.embedded.process import HOST
from scheduler.embedded.server import Server, last_words

USER = "scheduler"
_STATUS_LINE = 7
"""In `postmaster.pid`, counted from 0: the line that pg_ctl reads too."""
_FIRST_WITH_BUILTIN_LOCALE = 17


class Postgres(Server):
    """PostgreSQL: over TCP only, every connection with SCRAM."""

    name = "PostgreSQL"
    finish = signal.SIGINT
    abort = signal.SIGQUIT
    leftovers = ("postmaster.pid",)

    @property
    def url(self) -> str:
        return f"postgresql://{USER}:{self.password}@{HOST}:{self.port}/postgres"

    def command(self) -> list[str]:
        settings = {"listen_addresses": HOST, "port": self.port, "unix_socket_directories": "", "max_connections": 300}
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [str(self.program), "-D", str(self.data), *options]

    def is_ready(self) -> bool:
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > _STATUS_LINE and lines[0] == str(self.pid) and lines[_STATUS_LINE].strip() == "ready"

    def initialise(self, data: Path, password: str) -> None:
        with tempfile.TemporaryFile("w+") as password_file:
            password_file.write(password)
            password_file.seek(0)
            if self.account.switch:
                os.fchown(password_file.fileno(), self.account.uid, self.account.gid)
            made = subprocess.run(  # noqa: S603 - our own command line
                [
                    str(self.program.with_name("initdb")),
                    f"--pgdata={data}",
                    f"--username={USER}",
                    "--pwfile=/dev/stdin",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    *self._locale_options(),
                    *([] if self.durable else ["--no-sync"]),
                ],
                stdin=password_file,
                capture_output=True,
                text=True,
                cwd=data,
                env=CLEAN_ENVIRONMENT,
                check=False,
                **self.account.child_options,
            )
        if made.returncode != 0:
            raise ConfigurationError(f"PostgreSQL's initdb failed: {last_words(made.stderr)}")

    def _locale_options(self) -> list[str]:
        """The same order of text on every machine, where this PostgreSQL has that."""
        said = subprocess.run(  # noqa: S603 - our own command line
            [str(self.program), "--version"], env=CLEAN_ENVIRONMENT, capture_output=True, text=True, check=True
        )
        major = re.search(r"\d+", said.stdout)
        if major and int(major[0]) >= _FIRST_WITH_BUILTIN_LOCALE:
            return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        return ["--locale=C.UTF-8"]
