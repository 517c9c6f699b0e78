"""The four processes of `scheduler up`, run by honcho."""

# honcho has no annotations.
# pyright: reportUnknownMemberType=false, reportUnknownParameterType=false, reportMissingParameterType=false

import http.client
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from types import FrameType

from honcho import manager as honcho
from honcho.printer import Message, Printer

from scheduler.domain.errors import ConfigurationError
from scheduler.embedded import EmbeddedServers
from scheduler.settings import Settings

NAMES = ("api", "picker", "executor", "monitor")


class Processes(honcho.Manager):
    """Starts the processes, shows their output, and stops all when one ends or a signal asks for it.

    Of `servers`, whatever dies meanwhile is started again. `when_ready` is called once, from a thread of its own, when
    every process is at work.
    """

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        servers: EmbeddedServers | None,
        when_ready: Callable[[], None],
    ) -> None:
        self._awaited = {name: threading.Event() for name in NAMES}
        super().__init__(_ReadyPrinter(self._awaited))
        for name in NAMES:
            self.add_process(name, f"exec {shlex.quote(sys.executable)} -m scheduler {name}", env=dict(environment))
        self._settings = settings
        self._servers = servers
        self._when_ready = when_ready
        self._signals = 0
        self._passed_on = 0
        self._watcher: threading.Thread | None = None

    def run(self) -> int:
        """Run them until the end; returns the exit code: 0 after a signal, 1 when a process failed."""
        honcho.KILL_WAIT = self._settings.shutdown_grace_seconds + 5
        self.loop()
        return 0 if self._signals or not self.returncode else 1

    def _start(self) -> None:
        # honcho's own handlers fail while a process has not told its pid, and swallow every signal but the first.
        for signum in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, self._count_signal)
        super()._start()

    def _count_signal(self, _signum: int, _frame: FrameType | None) -> None:
        self._signals += 1

    def _all_started(self) -> bool:
        """Asked by honcho in every turn of its loop: here nothing can be half done."""
        if not super()._all_started():
            return False
        if self._watcher is None:
            self._watcher = threading.Thread(target=self._watch, name="watcher", daemon=True)
            self._watcher.start()
        while self._passed_on < self._signals:
            self._passed_on += 1
            if self._passed_on == 1:
                self.terminate()
            else:
                self._killall()  # SIGTERM again: leave at once
        if self._servers and not (self._signals or self.returncode or self._any_stopped()):
            self._revive(self._servers)
        return True

    def _revive(self, servers: EmbeddedServers) -> None:
        try:
            for name in servers.revive():
                self._system_print(f"{name} had died, and is started again\n")
        except ConfigurationError as fault:
            self._system_print(f"{fault}\n")
            self.returncode = 1
            self.terminate()

    def _watch(self) -> None:
        while not self._api_is_ready():
            time.sleep(0.05)
        if self._settings.log_level in {"debug", "info"}:  # else they do not say it
            for said in self._awaited.values():
                said.wait()
        if not self._signals:
            self._when_ready()

    def _api_is_ready(self) -> bool:
        connection = http.client.HTTPConnection(self._settings.api_host, self._settings.api_port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


class _ReadyPrinter(Printer):
    """Shows every line, and notes which processes have said that they are ready."""

    def __init__(self, awaited: Mapping[str, threading.Event]) -> None:
        super().__init__(sys.stdout)
        self._awaited = awaited

    def write(self, message: Message) -> None:
        super().write(message)
        for name, said in self._awaited.items():
            if message.name == name and f"{name} ready".encode() in message.data:
                said.set()
