"""The life of an executor: one event loop for the tasks, and threads around it for messages, records and leases."""

import asyncio
import threading
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from scheduler.daemon import Stop, collect_garbage_rarely, keep_what_is_there
from scheduler.domain.errors import QueueUnavailable, Unavailable
from scheduler.domain.job import Attempt, AttemptKey, Completed, Failed, Outcome
from scheduler.domain.queue import NewWorker
from scheduler.executor.deadlines import Deadlines
from scheduler.executor.heartbeat import Heartbeat
from scheduler.executor.hold import Hold
from scheduler.executor.places import Places
from scheduler.executor.presence import Presence
from scheduler.executor.receiver import Receiver
from scheduler.executor.recorder import Recorder
from scheduler.executor.report import Report
from scheduler.executor.run import AttemptTimedOut, Running, failure, run_attempt
from scheduler.executor.slots import Slots
from scheduler.executor.starter import Starter
from scheduler.executor.worker import MessageWorker
from scheduler.logs import get_log
from scheduler.metrics import ACTIVE, COMPLETED, DURATION, FAILED, PROCESSED
from scheduler.probes import Pulse
from scheduler.queue import Listener
from scheduler.store import leases
from scheduler.store.connection import Database
from scheduler.tasks.registry import Registry

log = get_log("executor")

LONGEST_POLL_SECONDS: Final = 60.0
_SWEEP_SECONDS: Final = 1.0
_STUBBORN_SECONDS: Final = 2.0
"""How long a handler may take to react to its cancellation before its attempt ends without it."""
_PARTING_SECONDS: Final = 5.0
"""How long to wait for a thread to give back what has not started."""
_LAST_WORDS_SECONDS: Final = 2.0
"""What recording and signing off may take after the grace."""


@dataclass(frozen=True, slots=True)
class ExecutorConfig:
    """How one executor runs. `threads`, `processes`: of `concurrency`, at most so many."""

    redis_url: str
    worker: NewWorker
    concurrency: int
    threads: int
    processes: int
    lease_seconds: float
    grace_seconds: float


class Executor:
    """Runs attempts until it is stopped. `run` is to be called on the main thread, once."""

    def __init__(
        self, config: ExecutorConfig, database: Database, registry: Registry, stop: Stop, pulse: Pulse
    ) -> None:
        self._config = config
        self._database = database
        self._registry = registry
        self._stop = stop
        self._pulse = pulse
        self._slots = Slots(config.concurrency)
        self._places = Places(threads=config.threads, processes=config.processes)
        self._deadlines = Deadlines()
        self._running: dict[AttemptKey, Running] = {}
        ACTIVE.set_function(lambda: len(self._running))
        self._ended_now: list[Outcome | None] = []
        self._finished = 0
        self._failed = 0
        self._worker = MessageWorker(
            config.redis_url, queues=config.worker.queues, name=config.worker.name, capacity=config.concurrency
        )
        self._presence = Presence(self._worker, self._tally)
        self._report = Report(database, config.worker)
        self._recorder = Recorder(database, self._recorded)
        self._heartbeat = Heartbeat(
            database,
            lease_seconds=config.lease_seconds,
            running=self._snapshot,
            recorder=self._recorder,
            abandon=self._abandon_soon,
        )
        starter = Starter(self._worker, database, self._slots, self._admit_soon, lease_seconds=config.lease_seconds)
        self._hold = Hold(starter, stop)
        self._receiver = Receiver(
            self._worker, starter, self._hold, slots=self._slots, recorder=self._recorder, stop=stop
        )

    async def run(self) -> None:
        """Serve until the stop, then drain."""
        self._loop = asyncio.get_running_loop()
        stopping = asyncio.Event()
        self._stop.on_request(lambda: self._loop.call_soon_threadsafe(stopping.set))
        if self._stop.requested.is_set():  # before anybody listened
            stopping.set()
        cancellations = Listener(self._config.redis_url, "cancel", lambda _job_id: self._heartbeat.beat_now())
        sweeper = asyncio.create_task(self._sweep())
        threads = (
            self._recorder,
            self._heartbeat,
            self._presence,
            self._report,
            self._hold,
            self._receiver,
            cancellations,
        )
        for thread in threads:
            thread.start()
        keep_what_is_there()
        collect_garbage_rarely()
        log.info("executor ready", slots=self._slots.total)
        await stopping.wait()
        await self._drain()
        cancellations.stop()
        sweeper.cancel()
        await self._registry.aclose()

    async def _drain(self) -> None:
        """Take no more, let what runs end within the grace, record it, and release the leases of the rest."""
        deadline = time.monotonic() + self._config.grace_seconds
        log.info("stopping", running=len(self._running), grace_seconds=self._config.grace_seconds)
        for thread in (self._receiver, self._hold):
            await asyncio.to_thread(thread.join, min(deadline - time.monotonic(), _PARTING_SECONDS))
        while self._running and time.monotonic() < deadline and not self._stop.hurried.is_set():
            await asyncio.wait(
                [each.task for each in self._running.values() if each.task], timeout=0.1, return_when="FIRST_COMPLETED"
            )
        left = [*self._running]
        self._abandon(left)
        self._hand_over()  # before the recorder is told that nothing more will come
        patience = max(0.0, deadline - time.monotonic()) if not self._stop.hurried.is_set() else 0.0
        unrecorded = await asyncio.to_thread(self._recorder.close, patience + _LAST_WORDS_SECONDS)
        self._heartbeat.stop()
        if left:
            await asyncio.to_thread(self._release, left)
        for announced in (self._presence, self._report):
            await asyncio.to_thread(announced.stop)
        log.info("executor stopped", released=len(left), unrecorded=unrecorded, finished=self._finished)

    def _release(self, keys: Collection[AttemptKey]) -> None:
        """Let others have these attempts' jobs at once."""
        try:
            with self._database.connection() as conn:
                leases.release(conn, [*keys])
            self._worker.wake_pickers()
        except Unavailable as away:
            log.warning("leases not released: they will run out", count=len(keys), error=str(away))

    # ── attempts: on the loop ────────────────────────────────────────────────────────────────────────────────

    def _admit_soon(self, attempts: Sequence[Attempt], asked: float) -> threading.Event:
        admitted = threading.Event()
        self._loop.call_soon_threadsafe(self._admit, attempts, asked, admitted)
        return admitted

    def _admit(self, attempts: Sequence[Attempt], asked: float, admitted: threading.Event) -> None:
        admitted.set()
        for attempt in attempts:
            running = Running(attempt, asked + attempt.lease_seconds)
            self._running[attempt.key] = running
            running.task = self._loop.create_task(self._run(running))

    async def _run(self, running: Running) -> Outcome | None:
        outcome = None
        try:
            outcome = await run_attempt(running, self._registry, self._places, self._deadlines)
        finally:
            self._leave(running, outcome)
        return outcome

    def _leave(self, running: Running, outcome: Outcome | None) -> None:
        """End the attempt, unless that was done before."""
        if self._running.pop(running.attempt.key, None) is None:
            return
        if not self._ended_now:
            self._loop.call_soon(self._hand_over)
        self._ended_now.append(outcome)

    def _hand_over(self) -> None:
        """Record what ended in this turn of the loop and free the slots: one hand-over to other threads for all."""
        ended, self._ended_now = self._ended_now, []
        self._recorder.add([outcome for outcome in ended if outcome is not None])
        self._slots.release(len(ended))

    def _abandon_soon(self, keys: Collection[AttemptKey]) -> None:
        self._loop.call_soon_threadsafe(self._abandon, keys)

    def _abandon(self, keys: Collection[AttemptKey]) -> None:
        """Stop these attempts: cancelled by a user, or no longer ours. Their outcomes are not recorded."""
        for key in keys:
            if running := self._running.get(key):
                running.cancel()
                running.deadline = min(running.deadline, time.monotonic())

    async def _sweep(self) -> None:
        """End attempts whose handlers do not react to having been stopped: their slots are needed."""
        while True:
            self._pulse.beat(_SWEEP_SECONDS)
            await asyncio.sleep(_SWEEP_SECONDS)
            overdue = time.monotonic() - _STUBBORN_SECONDS
            for running in [each for each in self._running.values() if each.deadline < overdue]:
                log.warning(
                    "a handler ignores its cancellation",
                    job_id=running.attempt.key.job_id,
                    attempt=running.attempt.attempt,
                )
                self._leave(running, None if running.cancelled else failure(running, AttemptTimedOut(running)))
                running.cancel()

    # ── shared with the threads ──────────────────────────────────────────────────────────────────────────────

    def _snapshot(self) -> list[Running]:
        return [*self._running.values()]

    def _tally(self) -> tuple[int, int, int]:
        return self._slots.busy, self._finished, self._failed

    def _recorded(self, outcomes: Sequence[Outcome]) -> None:
        """Count, and wake the pickers when there may be work sooner than they expect."""
        completed = sum(isinstance(outcome, Completed) for outcome in outcomes)
        self._finished += completed
        self._failed += len(outcomes) - completed
        PROCESSED.inc(len(outcomes))
        COMPLETED.inc(completed)
        FAILED.inc(sum(isinstance(outcome, Failed) and outcome.retry_in is None for outcome in outcomes))
        for outcome in outcomes:
            DURATION.observe(outcome.duration_seconds)
        if any(map(_brings_work, outcomes)):
            with suppress(QueueUnavailable):  # they poll
                self._worker.wake_pickers()


def _brings_work(outcome: Outcome) -> bool:
    """A key that others wait for is free, or the next attempt is due before a picker may look by itself."""
    soon = isinstance(outcome, Failed) and outcome.retry_in is not None and outcome.retry_in < LONGEST_POLL_SECONDS
    return soon or outcome.lets_others_begin
