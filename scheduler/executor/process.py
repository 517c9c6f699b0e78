"""Handlers of kind "process": each attempt in a child of its own, killed when its time is up or its executor dies."""

import contextlib
import importlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from ctypes import c_double
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from typing import Any, Final, NamedTuple, cast

from pydantic import BaseModel

from scheduler.daemon import die_with_parent
from scheduler.domain.errors import PermanentError, RetryLater, TaskError
from scheduler.executor.errors import Described, describe
from scheduler.executor.result import EncodedResult, encode_result
from scheduler.tasks.context import TaskContext
from scheduler.tasks.registry import Handler, TaskType

_LEASE_LOOK_SECONDS: Final = 0.1
_UNTOLD: Final = 0.0
"""The deadline of a child whose executor has not yet told it of its lease."""
_WORD_SECONDS: Final = 0.005
_PROGRESS_SECONDS: Final = 0.1

_FORKSERVER: Final = multiprocessing.get_context("forkserver")
"""Children come from a small clean process, not from an executor full of threads."""


def preload(modules: Sequence[str]) -> None:
    """Let the fork server import the handlers' modules once, so that a child starts in milliseconds."""
    _FORKSERVER.set_forkserver_preload([__name__, *modules])


class ProcessDied(TaskError):
    """The child ended without an answer: it crashed, or something killed it."""

    type = "process_died"


class Call(NamedTuple):
    """What the child needs to know; the data goes as JSON, and the handler by its name."""

    module: str
    handler: str
    model: type[BaseModel]
    data: str
    job_id: int
    attempt: int
    max_attempts: int
    traceparent: str | None


class ChildProcess:
    """One attempt in a child. `converse` blocks in one thread; `kill` may come from another at any time."""

    def __init__(
        self, task_type: TaskType, data: BaseModel, context: TaskContext, held_until: Callable[[], float]
    ) -> None:
        handler = task_type.handler
        call = Call(
            handler.__module__,
            handler.__qualname__,
            type(data),
            data.model_dump_json(),
            context.job_id,
            context.attempt,
            context.max_attempts,
            context.traceparent,
        )
        self._context = context
        self._held_until = held_until
        self._deadline = _FORKSERVER.RawValue("d", _UNTOLD)
        self._pipe, self._childs_end = _FORKSERVER.Pipe(duplex=False)
        self._process = _FORKSERVER.Process(
            target=_child, args=(self._childs_end, self._deadline, call), name=f"task {task_type.name}"
        )
        self._lock = threading.Lock()
        self._killed = False

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def converse(self) -> object:
        """Start the child, pass on what it logs and reports, and return or raise what it answers."""
        with self._lock:
            if self._killed:
                raise ProcessDied("The attempt was stopped before its process started.")
            # The fork server, if this starts it, inherits that: SIGTERM to our whole process group, as process
            # managers send it, would end it, and every child with it. This thread has no other work.
            resource_tracker.ensure_running()  # whose own start unblocks the signal again
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            self._process.start()
        self._childs_end.close()
        with self._pipe:
            try:
                answer = self._listen()
            except (EOFError, OSError):
                self._process.join(1)
                raise ProcessDied(f"The task's process ended without an answer ({self._cause()}).") from None
        self.kill()
        self._process.join(5)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def kill(self) -> None:
        """Kill the child, and all that it started, if it lives."""
        with self._lock:
            self._killed = True
            if self._process.pid is not None and self._process.exitcode is None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                self._process.kill()

    def _listen(self) -> object:
        while True:
            self._deadline.value = self._held_until()
            if not self._pipe.poll(_LEASE_LOOK_SECONDS):
                continue
            match cast("tuple[Any, ...]", self._pipe.recv()):
                case ("log", line):
                    self._context.log("%s", line)
                case ("progress", fraction, message):
                    self._context.progress(fraction, message)
                case ("retry_later", seconds, message):
                    return RetryLater(seconds, message)
                case ("permanent", word, message):
                    return PermanentError(message, type=word)
                case ("failed", description):
                    return Described(description)
                case ("result", encoded):
                    return None if encoded is None else EncodedResult(encoded)
                case _:
                    raise EOFError

    def _cause(self) -> str:
        code = self._process.exitcode
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                return f"killed by {signal.Signals(-code).name}"
        return f"exit code {code}"


def _die_with_executor() -> None:
    """When the executor dies, the fork server sees the end of a pipe and leaves, and the kernel kills its children.

    But each child is handed the other end of that pipe as well, to start children of its own: it must let go of it.
    """
    server: object = getattr(forkserver, "_forkserver", None)
    if isinstance(alive := getattr(server, "_forkserver_alive_fd", None), int):
        os.close(alive)
    die_with_parent()


def _await_word(deadline: "c_double") -> None:
    """Begin nothing before the executor has told of a lease that lasts: one that is frozen right after the start would
    leave us at work for as long as we liked; one that was has to see first whether the attempt is still its own."""
    while deadline.value <= time.monotonic():
        time.sleep(_WORD_SECONDS)


def _die_with_lease(deadline: "c_double") -> None:
    """End with all that the handler started once the lease has run out: an executor that is frozen cannot kill us."""
    while time.monotonic() < deadline.value:
        time.sleep(_LEASE_LOOK_SECONDS)
    os.killpg(0, signal.SIGKILL)


class Voice:
    """The child's end of the pipe, for all its threads. Of progress only the latest is told, and not all the time."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._whole_message = threading.Lock()
        self._progress: tuple[float, str | None] = (0.0, None)
        self._progressed = threading.Event()
        threading.Thread(target=self._tell, name="progress", daemon=True).start()

    def say(self, *message: object) -> None:
        with self._whole_message:
            self._pipe.send(message)

    def log(self, line: str) -> None:
        self.say("log", line)

    def progress(self, fraction: float, message: str | None) -> None:
        self._progress = (fraction, message)
        self._progressed.set()

    def _tell(self) -> None:
        with contextlib.suppress(OSError):  # the executor is gone
            while self._progressed.wait():
                self._progressed.clear()
                self.say("progress", *self._progress)
                time.sleep(_PROGRESS_SECONDS)


def _child(pipe: Connection, deadline: "c_double", call: Call) -> None:
    _die_with_executor()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal: the executor decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    os.setpgid(0, 0)
    _await_word(deadline)
    threading.Thread(target=_die_with_lease, args=(deadline,), name="lease", daemon=True).start()
    voice = Voice(pipe)
    context = TaskContext(
        job_id=call.job_id,
        attempt=call.attempt,
        max_attempts=call.max_attempts,
        on_log=voice.log,
        on_progress=voice.progress,
        is_cancelled=lambda: False,  # a cancelled process is killed
        traceparent=call.traceparent,
    )
    with contextlib.suppress(BrokenPipeError):  # the executor is gone, and so are we in a moment
        try:
            handler = cast("Handler", getattr(importlib.import_module(call.module), call.handler))
            result = handler(call.model.model_validate_json(call.data), context)
            voice.say("result", encode_result(result))  # here, so that one that is too large never leaves us
        except BaseException as error:  # noqa: BLE001 - SystemExit and KeyboardInterrupt too are failures of the attempt
            voice.say(*_reported(error))


def _reported(error: BaseException) -> tuple[object, ...]:
    """An error as words: an exception of the user's own may not survive the pipe."""
    described = describe(error)
    match error:
        case RetryLater():
            return "retry_later", error.seconds, described["message"]
        case PermanentError():
            return "permanent", described["type"], described["message"]
        case _:
            return "failed", described
