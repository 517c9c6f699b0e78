"""The jobs of one measurement, from putting them in to removing them, over the REST API."""

import signal
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final, Self, cast

from scheduler.cli.client import Api, id_of, rows_of
from scheduler.client import Refused
from scheduler.domain.errors import Unavailable
from scheduler.domain.job import JsonObject, JsonValue

QUEUE: Final = "bench"
"""Always the same one: RQ keeps the name of each queue that it ever saw."""

_BATCH: Final = 5_000
"""Their JSON has to stay within MAX_BODY_BYTES."""
_PAGE: Final = 200
_REMOVERS: Final = 8
_PATIENCE_SECONDS: Final = 60.0
"""Longer than a lease with a poll: an executor that dies meanwhile costs time, not the measurement."""
_ENDED: Final = frozenset({"completed", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class _Answered:
    """When a request was sent and answered, by this machine's clock, and its job created, by the database's."""

    sent: datetime
    answered: datetime
    created: datetime


@dataclass(slots=True)
class Load:
    """Jobs that do nothing. Every call raises as Api's."""

    api: Api
    ids: list[int] = field(default_factory=list[int])
    due: datetime | None = None
    _behind: timedelta = timedelta()
    """What the clock of this machine has to be moved by to be the database's."""
    _answers: "dict[int, _Answered]" = field(default_factory=dict[int, "_Answered"])

    @classmethod
    @contextmanager
    def on(cls, api: Api, *, keep: bool = False) -> "Generator[Self]":
        """A load that is removed in the end, whatever happens, unless somebody wants to `keep` it."""
        load = cls(api)
        try:
            yield load
        finally:
            if not keep:
                load.remove()

    def clock(self) -> datetime:
        """The database's time, as a job tells that is created and removed for it."""
        with _uninterrupted():
            job = self._create({"delay_seconds": _PATIENCE_SECONDS})
            now = datetime.now(UTC)
            self.ids.append(id_of(job))
        self._behind = datetime.fromisoformat(str(job["created_at"])) - now
        self._remove(self.ids[-1])
        self.ids.pop()
        return now + self._behind

    def put(self, count: int, due: datetime) -> None:
        """Put in `count` jobs, due then; raises Unavailable when that took longer."""
        job = _job({"scheduled_at": due.isoformat()})
        for start in range(0, count, _BATCH):
            batch: list[JsonValue] = [job for _ in range(min(_BATCH, count - start))]
            with _uninterrupted():
                _, created = self.api.post("/api/bulk/create", {"jobs": batch})
                self.ids += cast("list[int]", created["ids"])
        self.due = due
        if datetime.now(UTC) + self._behind >= due:
            raise Unavailable("The first jobs were due before the last were in: use fewer --jobs.")

    def put_one(self, **options: float) -> None:
        """Put in one job."""
        with _uninterrupted():
            sent = datetime.now(UTC)
            job = self._create(options)
            answered = datetime.now(UTC)
            self.ids.append(id_of(job))
        self._answers[id_of(job)] = _Answered(sent, answered, datetime.fromisoformat(str(job["created_at"])))

    def answered_at(self) -> dict[int, datetime]:
        """When the answer to each `put_one` was here, by the database's clock.

        Each job was created between its request and its answer: that bounds by how much the clocks differ, to 0 where
        they are the same one, else to the nearest that fits.
        """
        least = max((each.created - each.answered for each in self._answers.values()), default=timedelta())
        most = min((each.created - each.sent for each in self._answers.values()), default=timedelta())
        behind = min(max(timedelta(), least), most)
        return {job_id: each.answered + behind for job_id, each in self._answers.items()}

    def wait(self) -> None:
        """Wait until all have ended; raises Unavailable when none ended for long."""
        if self.due:
            time.sleep(max(0.0, (self.due - self._behind - datetime.now(UTC)).total_seconds()))
        deadline = time.monotonic() + _PATIENCE_SECONDS
        for job_id in [*self.ids[:: max(1, len(self.ids) // 50)], *self.ids[-1:]]:  # they end about in order
            while not self._has_ended(job_id):
                if time.monotonic() > deadline:
                    raise Unavailable(
                        f"No benchmark job ended in {_PATIENCE_SECONDS:g} s. Start `scheduler picker` and "
                        "`scheduler executor` on this database, and let executors serve every queue (no "
                        "EXECUTOR_QUEUES); `scheduler doctor` tells what is missing."
                    )
                time.sleep(0.2)
            deadline = time.monotonic() + _PATIENCE_SECONDS
        while any(job["status"] not in _ENDED for job in self.read()) and time.monotonic() < deadline:
            time.sleep(0.2)

    def read(self) -> list[JsonObject]:
        """The jobs as they stand; one that somebody else removed is missing."""
        ours, found = set(self.ids), list[JsonObject]()
        query: dict[str, str | int | None] = {"queue": QUEUE, "limit": _PAGE, "cursor": None}
        while True:
            page = self.api.get("/api/jobs", query)
            jobs = rows_of(page, "jobs")
            found += [job for job in jobs if id_of(job) in ours]
            query["cursor"] = cast("dict[str, Any]", page["pagination"])["next_cursor"]
            if query["cursor"] is None or len(found) == len(ours) or id_of(jobs[-1]) < min(ours):
                return found

    def remove(self) -> None:
        """Remove the jobs and their records, those that run as well."""
        with ThreadPoolExecutor(_REMOVERS) as removers:
            for removed in removers.map(self._remove, self.ids):
                assert removed is None  # else its error would not be seen

    def _remove(self, job_id: int) -> None:
        try:
            self.api.delete(f"/api/jobs/{job_id}")
        except Refused as refused:
            if refused.status == HTTPStatus.CONFLICT:
                self.api.post(f"/api/cancel/{job_id}", {})
                self.api.delete(f"/api/jobs/{job_id}")
            elif refused.status != HTTPStatus.NOT_FOUND:
                raise

    def _create(self, options: dict[str, float]) -> JsonObject:
        _, job = self.api.post("/api/job", _job(dict(options)))
        return job

    def _has_ended(self, job_id: int) -> bool:
        return self.api.get(f"/api/jobs/{job_id}/status")["status"] in _ENDED


@contextmanager
def _uninterrupted() -> Generator[None]:
    """Let no signal come between a job and its id, without which nobody would remove it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _job(options: JsonObject) -> JsonObject:
    return {"task": {"type": "noop", "data": {}}, "queue": QUEUE, **options}
