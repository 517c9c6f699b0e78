"""Watching jobs through the API: look, tell what changed, wait a second, look again."""

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Final

import click

from scheduler.cli.client import Api, ApiFault, id_of, rows_of
from scheduler.client import Refused, Unreachable
from scheduler.client.retries import PASSING
from scheduler.domain.job import JsonObject
from scheduler.domain.states import ENDED, LIVE

NEWEST: Final = 200
"""Jobs to look at each time, beside the live ones: the longest page there is."""
_EVERY_SECONDS: Final = 1.0

Look = Callable[[], Mapping[int, JsonObject]]


def until_ended(api: Api, job_id: int) -> Iterator[JsonObject]:
    """A job as it stands, then again each time it has changed, until it has ended."""
    for jobs in _each_second(lambda: {job_id: api.get(f"/api/jobs/{job_id}")}):
        yield from jobs
        if any(job.get("status") in ENDED for job in jobs):
            return


def for_ever(api: Api, *, first: int) -> Iterator[JsonObject]:
    """The `first` jobs that changed last, then each one that is new or changes.

    Looks at the newest jobs and at the live ones, however old: what was made and run unseen between is not shown.
    """
    changes = _each_second(_Recent(api).look)
    yield from next(changes)[-first:]
    for jobs in changes:
        yield from jobs


class _Recent:
    """The newest jobs, the live ones, and those that were live a moment ago."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._live: set[int] = set()

    def look(self) -> Mapping[int, JsonObject]:
        live = self._list({"status": [status.value for status in LIVE]})
        found = {**self._list({}), **live}
        for job_id in self._live - found.keys():
            found |= self._one(job_id)
        self._live = set(live)
        return found

    def _list(self, filters: dict[str, list[str]]) -> dict[int, JsonObject]:
        jobs = rows_of(self._api.get("/api/jobs", {"limit": NEWEST, **filters}), "jobs")
        return {id_of(job): job for job in jobs}

    def _one(self, job_id: int) -> dict[int, JsonObject]:
        try:
            return {job_id: self._api.get(f"/api/jobs/{job_id}")}
        except Refused as refused:
            if _is_passing(refused):
                raise
            return {}  # deleted meanwhile


def _each_second(look: Look) -> Generator[list[JsonObject]]:
    """What is new or other than a second ago, oldest change first; what is missing once counts as new afterwards."""
    seen: dict[int, object] = {}
    for found in _looks(look):
        changed = [job for job_id, job in found.items() if seen.get(job_id) != job.get("updated_at")]
        seen = {job_id: job.get("updated_at") for job_id, job in found.items()}
        yield sorted(changed, key=lambda job: str(job.get("updated_at")))


def _looks(look: Look) -> Generator[Mapping[int, JsonObject]]:
    """Look now, which may raise, then every second; an API that is away meanwhile is waited for."""
    yield look()
    was_away = False
    while True:
        time.sleep(_EVERY_SECONDS)
        try:
            found = look()
        except (Unreachable, Refused) as error:
            if isinstance(error, Refused) and not _is_passing(error):
                raise
            if not was_away:
                click.echo(f"scheduler: {ApiFault(error).message} Waiting for it.", err=True)
            was_away = True
        else:
            was_away = False
            yield found


def _is_passing(refused: Refused) -> bool:
    return refused.status in PASSING or refused.status >= 500
