"""Jobs in, at a steady rate, through the store and over HTTP; and some of them cancelled.

Whoever does not know whether a job went in looks before trying again, so that none goes in twice.
"""

import heapq
import http.client
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Final

from scheduler.domain.caller import OPERATOR
from scheduler.domain.errors import StoreUnavailable
from scheduler.domain.job import JsonObject, NewJob
from scheduler.domain.retry import Backoff, RetryPolicy
from scheduler.queue import Signals
from scheduler.store.connection import Database
from scheduler.store.intake import create_job
from tests.acceptance.cluster import Answer, Cluster

MAX_ATTEMPTS: Final = 50
"""So many that only an error of the engine fails a job."""
_RETRY: Final = RetryPolicy(Backoff.FIXED, 0.3, 0.3, jitter=True)
_OVER_HTTP: Final = 0.2
_CANCELLED: Final = 0.03
_KEYS: Final = 8
_PAUSE_SECONDS: Final = 0.2


def make_job(random: Random, token: str, long_seconds: float, *, calm: bool) -> NewJob:
    """One of the jobs: some outlast a lease, some fail at first, some exclude each other."""
    kind = random.choices(("async", "thread", "process", "hog"), (60, 28, 11.5, 0.5))[0]
    if calm and kind == "hog":
        kind = "async"
    seconds = random.uniform(0.0, 2.0) if random.random() < 0.95 else long_seconds
    is_keyed = random.random() < 0.04
    data: JsonObject = {
        "token": token,
        "seconds": round(seconds / 10 if is_keyed else seconds, 3),
        "failures": random.choice((1, 2)) if random.random() < 0.1 else 0,
    }
    return NewJob(
        task_type=f"chaos_{kind}",
        task_data=data,
        unique_key=token,
        concurrency_key=f"key {random.randrange(_KEYS)}" if is_keyed else None,
        max_attempts=MAX_ATTEMPTS,
        timeout_seconds=600.0,
        retry=_RETRY,
    )


@dataclass
class Load:
    """Submits `rate` jobs a second from `start` to `stop`; `calm` forbids cancels and tasks that
    block the loop."""

    cluster: Cluster
    database_url: str
    redis_url: str
    seed: int
    rate: float
    long_seconds: float
    calm: bool = True
    acknowledged: dict[str, int] = field(default_factory=dict[str, int])
    """Token -> job id: the scheduler said that it has these."""
    asked_to_cancel: set[int] = field(default_factory=set[int])
    cancelled: dict[int, float] = field(default_factory=dict[int, float])
    """Job id -> monotonic time at which the scheduler said that it is cancelled."""
    findings: list[str] = field(default_factory=list[str])
    _direct: "deque[NewJob]" = field(default_factory=deque["NewJob"])
    _by_http: "deque[NewJob]" = field(default_factory=deque["NewJob"])
    _cancels: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])

    def start(self) -> None:
        self._stopped = threading.Event()
        self._database = Database(self.database_url, name="load", max_size=4)
        self._signals = Signals(self.redis_url)
        self._chance = Random(f"{self.seed} cancels")
        work = (self._produce, lambda: self._consume(self._direct, self._create), self._converse)
        self._threads = [threading.Thread(target=each, name="load", daemon=True) for each in work]
        for thread in self._threads:
            thread.start()

    def stop(self, patience: float) -> None:
        """No new jobs; hand in those that wait, for at most `patience` seconds."""
        self._stopped.set()
        deadline = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if any(thread.is_alive() for thread in self._threads):
            self.findings.append(f"{len(self._direct) + len(self._by_http)} jobs could not be handed in at the end")
        self._database.close()

    def _produce(self) -> None:
        random = Random(f"{self.seed} jobs")
        start, number = time.monotonic(), 0
        while not self._stopped.is_set():
            while number < (time.monotonic() - start) * self.rate:
                new = make_job(random, f"{self.seed}-{number}", self.long_seconds, calm=self.calm)
                (self._by_http if random.random() < _OVER_HTTP else self._direct).append(new)
                number += 1
            self._stopped.wait(0.05)

    def _consume(self, jobs: "deque[NewJob]", create: Callable[[NewJob], int]) -> None:
        while jobs or not self._stopped.is_set():
            if jobs:
                self._submit(jobs.popleft(), create)
            else:
                self._stopped.wait(0.02)

    def _submit(self, new: NewJob, create: Callable[[NewJob], int]) -> None:
        is_new = True
        while True:
            with suppress(StoreUnavailable, OSError, http.client.HTTPException, ValueError):
                job_id = (None if is_new else self._find(new)) or create(new)
                self.acknowledged[str(new.unique_key)] = job_id
                if not self.calm and self._chance.random() < _CANCELLED:
                    heapq.heappush(self._cancels, (time.monotonic() + self._chance.uniform(0, 2), job_id))
                return
            is_new = False
            time.sleep(_PAUSE_SECONDS)

    def _find(self, new: NewJob) -> int | None:
        with self._database.connection() as conn:
            row = conn.execute("SELECT id FROM jobs WHERE unique_key = %s", (new.unique_key,)).fetchone()
        return None if row is None else row[0]

    def _create(self, new: NewJob) -> int:
        with self._database.connection() as conn:
            job, _ = create_job(conn, OPERATOR, new)
        with suppress(Exception):
            self._signals.wake_pickers()
        return job.id

    # ── over HTTP ────────────────────────────────────────────────────────────────────────────────────────────

    def _converse(self) -> None:
        while self._by_http or not self._stopped.is_set():
            while self._cancels and self._cancels[0][0] <= time.monotonic():
                self._cancel(heapq.heappop(self._cancels)[1])
            if self._by_http:
                self._submit(self._by_http.popleft(), self._post)
            else:
                self._stopped.wait(0.02)

    def _post(self, new: NewJob) -> int:
        body = {
            "task": {"type": new.task_type, "data": new.task_data},
            "unique_key": new.unique_key,
            "concurrency_key": new.concurrency_key,
            "max_attempts": new.max_attempts,
            "timeout_seconds": new.timeout_seconds,
            "retry": {"backoff": "fixed", "delay_seconds": new.retry.delay_seconds},
        }
        answer = self._call("/api/job", body)
        if answer.status not in (200, 201):
            raise OSError(f"not taken: {answer.status}")
        return answer.body["id"]

    def _cancel(self, job_id: int) -> None:
        self.asked_to_cancel.add(job_id)
        with suppress(OSError, http.client.HTTPException, ValueError):
            if self._call(f"/api/cancel/{job_id}", {}).status == 200:
                self.cancelled[job_id] = time.monotonic()

    def _call(self, path: str, body: object) -> Answer:
        answer = self.cluster.call("POST", path, body)
        if answer.status not in (200, 201, 409, 503):
            self.findings.append(f"POST {path} was answered {answer.status}: {answer.body}")
        return answer
