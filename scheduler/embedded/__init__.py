"""PostgreSQL and Valkey for `scheduler up`: nothing to install, and nothing left running.

Both run on the loopback address with generated passwords; as root, under another account.
"""

from collections.abc import Collection, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from scheduler.domain.errors import ConfigurationError
from scheduler.embedded.account import choose_account
from scheduler.embedded.lock import lock_folder
from scheduler.embedded.postgres import Postgres
from scheduler.embedded.programs import find_postgres, find_valkey
from scheduler.embedded.server import Server
from scheduler.embedded.valkey import Valkey

__all__ = ["EmbeddedServers", "Postgres", "Server", "ServerName", "Valkey"]

ServerName = Literal["postgres", "valkey"]


class EmbeddedServers:
    """The servers of one data folder, running inside the `with`; enter it in the main thread.

    `durable=False` trades safety against a power cut for speed, as tests may. Entering raises
    ConfigurationError when the folder is taken or cannot be written, or a server is missing or does not start.
    """

    def __init__(
        self, data_dir: Path, durable: bool = True, wanted: Collection[ServerName] = ("postgres", "valkey")
    ) -> None:
        self.data_dir = data_dir.absolute()
        self._durable = durable
        self._wanted = wanted
        self._servers: dict[ServerName, Server] = {}
        self._running = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack, self._explaining_faults():
            stack.enter_context(lock_folder(self.data_dir))
            for name in self._wanted:
                server = self._servers[name] = self._make(name)
                server.create_folder()
                stack.callback(server.stop)
                server.start()
            self._running = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def revive(self) -> list[str]:
        """Start those again that have died, and name them; call it in the main thread.

        Raises ConfigurationError when one does not come up.
        """
        dead = [server for server in self._servers.values() if server.has_ended]
        for server in dead:
            server.revive()
        return [server.name for server in dead]

    @property
    def postgres(self) -> Server:
        return self._servers["postgres"]

    @property
    def valkey(self) -> Server:
        return self._servers["valkey"]

    @property
    def database_url(self) -> str:
        return self.postgres.url

    @property
    def redis_url(self) -> str:
        return self.valkey.url

    def _make(self, name: ServerName) -> Server:
        folder = self.data_dir / name
        account = choose_account(folder / "data")
        if name == "postgres":
            return Postgres(find_postgres(account), folder, account, durable=self._durable)
        return Valkey(find_valkey(account), folder, account, durable=self._durable)

    @contextmanager
    def _explaining_faults(self) -> Generator[None, None, None]:
        try:
            yield
        except OSError as fault:
            raise ConfigurationError(
                f"Cannot keep data in SCHEDULER_DATA_DIR ({self.data_dir}): {fault.strerror or fault}. "
                "Make it writable, free some space, or name another folder."
            ) from fault
