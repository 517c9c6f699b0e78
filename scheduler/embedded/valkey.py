"""The Valkey of `scheduler up`."""

import signal
import socket

from scheduler.embedded.process import HOST
from scheduler.embedded.server import Server

DATABASES = 64


class Valkey(Server):
    """Valkey (or Redis): keeps what it is told in an append-only file, and never drops a key to make room."""

    name = "Valkey"
    finish = signal.SIGTERM
    abort = signal.SIGKILL

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{HOST}:{self.port}/0"

    def command(self) -> list[str]:
        return [str(self.program), "-"]

    def configuration(self) -> str:
        return "\n".join(
            [
                f"bind {HOST}",
                f"port {self.port}",
                f"requirepass {self.password}",
                "dir ./",
                f"databases {DATABASES}",
                "appendonly yes",
                f"appendfsync {'everysec' if self.durable else 'no'}",
                'save ""',
                "maxmemory-policy noeviction",
                "",
            ]
        )

    def is_ready(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=1.0) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\nQUIT\r\n".encode())
                with connection.makefile("rb") as answer:
                    return answer.read() == b"+OK\r\n+PONG\r\n+OK\r\n"
        except OSError:
            return False
