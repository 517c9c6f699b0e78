"""The ledger against the database: what the scheduler says of every job, and what the jobs themselves saw."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations, pairwise
from typing import Any, Final, NamedTuple

import psycopg

from tests.chaos.fleet import Freeze, Life

RESUMED_SECONDS: Final = 2.0
"""An executor that comes back from a freeze longer than its lease is to stop its attempts within this time: it has to
find out first. The machine may be busy."""
SPEED: Final = "too slow after the faults"
NEVER_BEGAN: Final = frozenset({"lost", "cancelled"})
"""How an attempt may come out whose handler was not reached."""


class Entry(NamedTuple):
    """A row of the ledger. Times are monotonic, the same for all processes; `seen` is the last sign of life."""

    token: str
    job_id: int
    attempt: int
    kind: str
    pid: int
    started: float
    seen: float
    ended: float | None
    ending: str | None


class Job(NamedTuple):
    """A job as it stands in the end."""

    id: int
    token: str
    status: str
    attempt: int
    run: int
    concurrency_key: str | None
    lease_until: datetime | None
    result: Any


class Execution(NamedTuple):
    """The record of one attempt."""

    job_id: int
    run: int
    attempt: int
    status: str
    worker: str
    started_at: datetime
    finished_at: datetime
    result: Any

    @property
    def executor(self) -> int:
        """Its process id, which a worker's name holds."""
        return int(self.worker.rsplit(".", 2)[1])


@dataclass
class Evidence:
    """Everything a verdict rests on."""

    jobs: Sequence[Job]
    executions: Sequence[Execution]
    entries: Sequence[Entry]
    lives: Sequence[Life] = ()
    acknowledged: Mapping[str, int] = field(default_factory=dict[str, int])
    asked_to_cancel: frozenset[int] = frozenset()
    cancelled: Mapping[int, float] = field(default_factory=dict[int, float])


@dataclass
class Verdict:
    """Findings by invariant: all lists empty is what is promised. And figures, which nobody promised."""

    findings: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    figures: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def is_clean(self) -> bool:
        return not any(self.findings.values())

    def found(self, *, apart_from: str = "") -> dict[str, list[str]]:
        """What was found, by invariant."""
        return {name: found for name, found in self.findings.items() if found and name != apart_from}

    def note(self, invariant: str, findings: Iterable[str]) -> None:
        self.findings.setdefault(invariant, []).extend(findings)


def gather(database_url: str, ledger_url: str) -> Evidence:
    """Read both databases."""
    with psycopg.connect(database_url) as database, psycopg.connect(ledger_url) as ledger:
        return Evidence(
            jobs=[
                Job(*row)
                for row in database.execute(
                    "SELECT id, unique_key, status::text, attempt, run, concurrency_key || ' of owner ' || owner_id,"
                    " lease_until, result FROM jobs ORDER BY id"
                )
            ],
            executions=[
                Execution(*row)
                for row in database.execute(
                    "SELECT job_id, run, attempt, status::text, worker, started_at, finished_at, result"
                    " FROM executions ORDER BY job_id, run"
                )
            ],
            entries=[
                Entry(*row)
                for row in ledger.execute(
                    "SELECT token, job_id, attempt, kind, pid, started, seen, ended, ending"
                    " FROM attempts ORDER BY job_id, started"
                )
            ],
        )


def judge(evidence: Evidence) -> Verdict:
    """Hold every invariant against the evidence."""
    verdict = Verdict()
    verdict.note("jobs lost", _lost(evidence))
    verdict.note("cancels broken", _cancels(evidence))
    verdict.note("attempts unrecorded", _unrecorded(evidence))
    verdict.note("records inconsistent", _inconsistent(evidence))
    _overlaps(evidence, verdict)
    verdict.figures |= {
        "jobs": dict(Counter(job.status for job in evidence.jobs)),
        "executions": dict(Counter(each.status for each in evidence.executions)),
        "attempts by kind": dict(Counter(entry.kind for entry in evidence.entries)),
        "went on after their cancel, at most s": _slowest_cancel(evidence),
    }
    return verdict


# ── jobs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _lost(evidence: Evidence) -> Iterator[str]:
    """Acknowledged, and not completed (nor cancelled); or there twice."""
    by_token: dict[str, list[Job]] = defaultdict(list)
    for job in evidence.jobs:
        by_token[job.token].append(job)
    for token, job_id in evidence.acknowledged.items():
        found = by_token.get(token, [])
        if len(found) != 1 or found[0].id != job_id:
            yield f"{token} was acknowledged as job {job_id}, and there is {[job.id for job in found]}"
    for job in evidence.jobs:
        if job.status not in ("completed", "cancelled"):
            yield f"job {job.id} is {job.status} after {job.attempt} attempts"


def _cancels(evidence: Evidence) -> Iterator[str]:
    for job in evidence.jobs:
        if job.id in evidence.cancelled and job.status != "cancelled":
            yield f"job {job.id} was cancelled and is {job.status}"
        if job.status == "cancelled" and job.id not in evidence.asked_to_cancel:
            yield f"nobody cancelled job {job.id}"


def _slowest_cancel(evidence: Evidence) -> float:
    late = [
        entry.seen - evidence.cancelled[entry.job_id]
        for entry in evidence.entries
        if entry.job_id in evidence.cancelled
    ]
    return round(max(late, default=0.0), 2)


# ── records ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _unrecorded(evidence: Evidence) -> Iterator[str]:
    """Attempts without a record, twice begun, or recorded and never begun."""
    recorded = {(each.job_id, each.run): each for each in evidence.executions}
    begun = Counter((entry.job_id, entry.attempt) for entry in evidence.entries)
    for (job_id, attempt), times in begun.items():
        if (job_id, attempt) not in recorded:
            yield f"attempt {attempt} of job {job_id} began, and is not on record"
        if times > 1:
            yield f"attempt {attempt} of job {job_id} began {times} times"
    for (job_id, run), each in recorded.items():
        if (job_id, run) not in begun and each.status not in NEVER_BEGAN:
            yield f"attempt {run} of job {job_id} is on record as {each.status}, and never began"
    if len(recorded) != len(evidence.executions):
        yield f"{len(evidence.executions) - len(recorded)} runs are on record twice"


def _inconsistent(evidence: Evidence) -> Iterator[str]:
    """Jobs that contradict their records, and records that contradict the ledger."""
    records: dict[int, list[Execution]] = defaultdict(list)
    for each in evidence.executions:
        records[each.job_id].append(each)
    begun = {(entry.job_id, entry.attempt): entry for entry in evidence.entries}
    known = {job.id for job in evidence.jobs}
    yield from (f"there are records of job {job_id}, and no job" for job_id in records.keys() - known)
    for job in evidence.jobs:
        yield from _contradictions(job, records[job.id], begun)


def _contradictions(job: Job, runs: Sequence[Execution], begun: Mapping[tuple[int, int], Entry]) -> Iterator[str]:
    who = f"job {job.id} ({job.status})"
    if [each.run for each in runs] != [*range(1, job.run + 1)] or any(each.attempt != each.run for each in runs):
        yield f"{who}: {job.run} runs, on record are {[(each.run, each.attempt) for each in runs]}"
    if job.attempt != job.run:
        yield f"{who}: {job.run} runs and attempt {job.attempt}"
    if job.lease_until is not None and job.status not in ("picked", "running"):
        yield f"{who} has a lease"
    ways = [each.status for each in runs]
    if "completed" in ways[:-1] or (ways[-1:] == ["completed"]) != (job.status == "completed"):
        yield f"{who}: its attempts came out as {ways}"
    for earlier, later in pairwise(runs):
        if earlier.finished_at > later.started_at:
            yield f"{who}: run {later.run} is on record as started before run {earlier.run} was finished"
    if job.status == "completed" and runs:
        last, entry = runs[-1], begun.get((job.id, job.run))
        if entry is None or entry.ending != "returned":
            yield f"{who}: what its last attempt wrote is {entry}"
        elif job.result != {"attempt": job.attempt, "pid": entry.pid} or last.result != job.result:
            yield f"{who}: its result is {job.result}, on record is {last.result}, the ledger has {entry}"


# ── overlaps ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _overlaps(evidence: Evidence, verdict: Verdict) -> None:
    """An attempt overlaps with another that began before the last sign of life of the first.

    A process that stood still while its attempt was replaced has to find out when it goes on: such a stale resumption
    is counted apart, as long as it is over soon.
    """
    overlaps: list[str] = []
    stale: list[float] = []
    freezes = _freezes_by_run(evidence)
    for name, first, second in _simultaneous(evidence):
        freeze = _excuse(first, second, freezes.get((first.job_id, first.attempt), []))
        if freeze is not None and first.seen - freeze.until <= RESUMED_SECONDS:
            stale.append(first.seen - freeze.until)
            continue
        overlaps.append(
            f"{name}: {first.kind} attempt {first.attempt} of job {first.job_id} (pid {first.pid}) went on for "
            f"{first.seen - second.started:.2f} s beside attempt {second.attempt} of job {second.job_id} "
            f"(pid {second.pid}), which began at {second.started:.2f}"
            + (f"; {first.seen - freeze.until:.2f} s after its freeze" if freeze else "")
        )
    verdict.note("overlapping attempts", overlaps)
    verdict.figures["stale resumptions"] = len(stale)
    verdict.figures["stale for at most s"] = round(max(stale, default=0.0), 3)


def _simultaneous(evidence: Evidence) -> Iterator[tuple[str, Entry, Entry]]:
    """Pairs of attempts that should exclude each other and did not, the one that began first before the other."""
    groups: dict[str, list[Entry]] = defaultdict(list)
    key_of = {job.id: job.concurrency_key for job in evidence.jobs}
    for entry in evidence.entries:
        groups[f"job {entry.job_id}"].append(entry)
        if (key := key_of.get(entry.job_id)) and entry.job_id not in evidence.asked_to_cancel:
            groups[key].append(entry)  # a cancel frees the key at once, before the attempt has heard of it
    for name, entries in groups.items():
        entries.sort(key=lambda entry: entry.started)
        for first, second in combinations(entries, 2):
            is_twice = name.startswith("key") and first.job_id == second.job_id
            if first.seen > second.started and not is_twice:
                yield name, first, second


def _freezes_by_run(evidence: Evidence) -> dict[tuple[int, int], list[Freeze]]:
    by_executor: dict[int, list[Freeze]] = defaultdict(list)
    for life in evidence.lives:
        by_executor[life.pid] += life.freezes
    return {(each.job_id, each.run): by_executor.get(each.executor, []) for each in evidence.executions}


def _excuse(first: Entry, second: Entry, freezes: Iterable[Freeze]) -> Freeze | None:
    """The last freeze in which `first` stood still itself before it found that it was replaced."""
    stood_still = (
        each
        for each in freezes
        if first.pid in each.pids
        and each.since <= second.started
        and first.started <= each.since <= first.seen
        and each.until <= first.seen
    )
    return max(stood_still, key=lambda each: each.until, default=None)
