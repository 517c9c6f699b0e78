"""One server process: started, watched and stopped; it ends when we end, however that happens."""

import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from signal import Signals
from typing import ClassVar

from scheduler.domain.errors import ConfigurationError
from scheduler.embedded.account import CLEAN_ENVIRONMENT, Account
from scheduler.embedded.process import end_with_parent, find_free_port, find_processes, is_free, signal_processes
from scheduler.embedded.programs import make_system_home
from scheduler.settings import keep_secret

START_SECONDS = 120.0
"""Long, since a server may have to recover first; one that dies is noticed at once."""
STOP_SECONDS = 8.0


class Server(ABC):
    """A server and its folder, which holds `data/` (the server's own), `password`, `port` and `log`."""

    name: ClassVar[str]
    finish: ClassVar[Signals]
    """Asks it to end in good order."""
    abort: ClassVar[Signals]
    """Asks it to end at once; it recovers at its next start."""
    leftovers: ClassVar[tuple[str, ...]] = ()
    """Files in `data/` that a killed server leaves and that would keep a new one from starting."""

    def __init__(self, program: Path, folder: Path, account: Account, *, durable: bool) -> None:
        self.program = program
        self.folder = folder
        self.account = account
        self.durable = durable
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    @abstractmethod
    def url(self) -> str:
        """How to connect, password included."""

    @abstractmethod
    def command(self) -> list[str]:
        """The command line. Everyone on the machine may read it: it holds no secret."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether the process that runs now accepts clients."""

    def configuration(self) -> str:
        """What it reads from its standard input."""
        return ""

    def initialise(self, data: Path, password: str) -> None:  # noqa: B027 - there may be nothing to do
        """Fill the new, empty `data`."""

    @property
    def data(self) -> Path:
        """Resolved, since the folder may be a link that only we can follow."""
        return (self.folder / "data").resolve()

    @property
    def password(self) -> str:
        return (self.folder / "password").read_text()

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError(f"{self.name} is not running")
        return self._process.pid

    def create_folder(self) -> None:
        """Make the folder and all that belongs there, or nothing; does nothing when it is there already."""
        home = self.folder.parent
        for unfinished in home.glob(f"{self.folder.name}-new-*"):
            shutil.rmtree(unfinished)
        self.account.make_passage(home)
        if self.folder.exists():
            return
        place = home if self.account.can_enter(home) else make_system_home()
        new = Path(tempfile.mkdtemp(prefix=f"{self.folder.name}-new-", dir=place))
        try:
            self.account.make_passage(new)
            self.account.make_folder(new / "data")
            password = secrets.token_hex(24)
            keep_secret(new / "password", password)
            self.initialise(new / "data", password)
        except BaseException:
            shutil.rmtree(new)
            raise
        if place == home:
            new.rename(self.folder)
        else:
            self.folder.symlink_to(new.rename(new.with_name(new.name.replace("-new-", "-"))))

    def start(self) -> None:
        """Start on the port of last time, or another if that is taken, and wait until it is ready.

        Linux ends a server with the thread that started it, so call this in the main thread only.
        Raises ConfigurationError with the server's last words when it does not come up.
        """
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("a server that another thread starts would end with that thread")
        self._end_leftovers()
        self.port = self._remembered_port()
        for _ in range(3):
            if not is_free(self.port):
                self.port = find_free_port()
            self._launch()
            if self._becomes_ready():
                keep_secret(self.folder / "port", str(self.port))
                return
            if is_free(self.port):  # so it was not someone quicker who took the port
                break
        raise ConfigurationError(
            f"{self.name} did not start: {self._last_words()} (the whole log: {self.folder / 'log'})"
        )

    def stop(self, *, immediate: bool = False) -> None:
        """End it and wait for that; a server that does not listen is killed after some seconds."""
        if self._process is None:
            return
        self.resume()
        self._process.send_signal(self.abort if immediate else self.finish)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            signal_processes(self._processes(), signal.SIGKILL)
            self._process.kill()
            self._process.wait()
        self._process = None

    def restart(self, *, immediate: bool = False) -> None:
        """Stop it and start it again on the same port; `immediate` stops as a power cut would."""
        self.stop(immediate=immediate)
        self.start()

    @property
    def has_ended(self) -> bool:
        """Whether it has died since it was started, and nobody had asked it to."""
        return self._process is not None and self._process.poll() is not None

    def revive(self) -> None:
        """Start it again on the port where its clients seek it. Raises ConfigurationError when it does not come up."""
        sought = self.port
        self.start()
        if self.port != sought:
            raise ConfigurationError(f"{self.name} has died, and its port {sought} is taken: start everything again.")

    def pause(self) -> None:
        """Freeze it: connections hang, as those to a server that is too busy do."""
        signal_processes(self._processes(), signal.SIGSTOP)

    def resume(self) -> None:
        """Undo `pause`."""
        signal_processes(self._processes(), signal.SIGCONT)

    def _launch(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(  # noqa: S603 - our own command line
                self.command(),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self.data,
                env=CLEAN_ENVIRONMENT,
                start_new_session=True,  # Ctrl-C in the terminal is for us: the servers stop last
                preexec_fn=end_with_parent(self.abort),
                **self.account.child_options,
            )
            if self._process.stdin is not None:
                with suppress(BrokenPipeError), self._process.stdin as pipe:
                    pipe.write(self.configuration().encode())

    def _becomes_ready(self) -> bool:
        deadline = time.monotonic() + START_SECONDS
        while self._process is not None and self._process.poll() is None:
            if self.is_ready():
                return True
            if time.monotonic() > deadline:
                self.stop(immediate=True)
            time.sleep(0.01)
        self._process = None
        return False

    def _remembered_port(self) -> int:
        try:
            return int((self.folder / "port").read_text())
        except (FileNotFoundError, ValueError):
            return find_free_port()

    def _end_leftovers(self) -> None:
        """End whoever lives in our data after a kill -9: we hold the folder's lock, so nobody needs it."""
        self.resume()
        signal_processes(self._processes(), self.abort)
        deadline = time.monotonic() + STOP_SECONDS
        while left := self._processes():
            if time.monotonic() > deadline:
                signal_processes(left, signal.SIGKILL)
            time.sleep(0.01)
        if sys.platform == "linux":  # elsewhere we cannot see who lives there: the server itself has to judge
            for name in self.leftovers:
                (self.data / name).unlink(missing_ok=True)

    def _processes(self) -> list[int]:
        """The server's process and those it made."""
        return find_processes(self.program.name, self.data)

    def _last_words(self) -> str:
        with (self.folder / "log").open("rb") as log:
            log.seek(self._log_start)
            return last_words(log.read().decode(errors="replace"))


def last_words(output: str) -> str:
    """The line of a failed program's output that says why."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if any(word in line for word in ("FATAL", "PANIC", "error:"))]
    return (telling or lines or ["it said nothing"])[-1]
