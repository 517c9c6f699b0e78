"""Claim due jobs and push them: the claim commits before the push, and a push that fails gives the jobs back."""

from collections.abc import Iterator, Sequence
from math import inf
from typing import Final

from scheduler.domain.errors import QueueUnavailable
from scheduler.domain.job import Claimed
from scheduler.logs import get_log
from scheduler.metrics import BATCH_SIZE, CLAIM_SECONDS
from scheduler.picker.ahead import Ahead
from scheduler.picker.frontier import Frontier
from scheduler.picker.sparing import Sparing
from scheduler.queue import Outbox
from scheduler.store import backlog, transitions
from scheduler.store.backlog import Upcoming
from scheduler.store.connection import Database
from scheduler.tracing import mark

log = get_log("claim")

_SHORTEST_WAIT_SECONDS: Final = 0.001
"""For a rate: less would be a busy loop."""


class Claim:
    """The duty of claiming, up to `batch_size` jobs of a queue at a time."""

    def __init__(
        self, database: Database, outbox: Outbox, *, batch_size: int, lease_seconds: float, ageing_seconds: float
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._batch_size = batch_size
        self._lease_seconds = lease_seconds
        self._ageing_seconds = ageing_seconds
        self._ahead = Ahead(lease_seconds)
        self._frontier = Frontier()
        self._full_look = Sparing()
        self._keyed_look = Sparing()
        self._more_in: dict[str, float] = {}
        self._latest: str | None = None
        self._was_told = False
        self._has_looked = False

    def expect_work(self) -> None:
        """Somebody says that there is something to claim: the next step does not look where it is first, but tries the
        queue that had some last. For any thread."""
        self._was_told = True

    def step(self) -> float:
        """Claim from every queue with due jobs and room for them; the seconds until the next job is due, or 0
        when something was claimed and there may be more. Jobs that wait for room do not count: an executor wakes us.
        """
        return min(self._step_plain(), self._step_keyed())

    def _step_plain(self) -> float:
        if self._was_told and self._has_looked:  # every other time at most: other queues may have work, too
            self._was_told = self._has_looked = False
            if self._latest is not None and self._claim(self._latest):
                return 0.0
        self._has_looked = True
        waiting, look_again_in = self._look()
        due = {each.queue: each.is_held for each in waiting if each.seconds <= 0}
        if sum(self._claim_held(queue) if is_held else self._claim(queue) for queue, is_held in due.items()):
            return 0.0
        soon = dict.fromkeys(
            each.queue for each in waiting if 0 < each.seconds <= self._ahead.seconds and not each.is_held
        )
        if sum(self._claim_ahead(queue) for queue in soon if queue not in due):
            return 0.0
        return min([look_again_in, *self._pauses(waiting)])

    def _pauses(self, waiting: Sequence[Upcoming]) -> Iterator[float]:
        """Until when each of these can be claimed: ahead, or else when it is due."""
        for each in waiting:
            if each.is_held:
                yield each.seconds if each.seconds > 0 else self._more_in.get(each.queue, inf)
            elif each.seconds > self._ahead.seconds:
                yield each.seconds - self._ahead.seconds
            elif each.seconds > 0:
                yield each.seconds

    def _look(self) -> tuple[list[Upcoming], float]:
        """What waits, and in how many seconds to look again whatever that is: after a look from the frontier only."""
        with self._database.connection() as conn:
            if not self._full_look.may_begin():
                starts = {queue: self._frontier.starts(queue) for queue in self._frontier.queues()}
                return backlog.upcoming_from(conn, starts), self._full_look.seconds_left()
            with self._full_look:
                waiting = backlog.upcoming(conn)
        self._frontier.seen(waiting)
        return waiting, inf

    def _claim(self, queue: str) -> int:
        room = self._room(queue)
        claimed = self._claim_plain(queue, room, ahead_seconds=0.0)
        if claimed and claimed == room:
            self.expect_work()  # what it left behind needs no look
        return claimed

    def _claim_ahead(self, queue: str) -> int:
        """Nothing of this queue is due: take what will be in a moment."""
        room = self._outbox.room(queue)
        limit = min(self._batch_size, room, self._ahead.left(queue, self._outbox.most_ahead()))
        claimed = self._claim_plain(queue, limit, ahead_seconds=self._ahead.seconds)
        self._ahead.took(queue, claimed)
        return claimed

    def _claim_held(self, queue: str) -> int:
        """From a queue that is paused or limited: what its limits leave, with a concurrency_key or without."""
        self._more_in.pop(queue, None)
        if not (limit := self._room(queue)):
            return 0
        with CLAIM_SECONDS.time(), self._database.connection() as conn:
            held = transitions.claim_held(
                conn,
                queue=queue,
                limit=limit,
                lease_seconds=self._lease_seconds,
                ageing_seconds=self._ageing_seconds,
            )
        if held.more_in is not None:
            self._more_in[queue] = max(held.more_in, _SHORTEST_WAIT_SECONDS)
        return self._push(queue, held.claimed, limit)

    def _claim_plain(self, queue: str, limit: int, *, ahead_seconds: float) -> int:
        if not limit:
            return 0
        with CLAIM_SECONDS.time(), self._database.connection() as conn:
            claimed = transitions.claim(
                conn,
                queue=queue,
                limit=limit,
                ahead_seconds=ahead_seconds,
                lease_seconds=self._lease_seconds,
                ageing_seconds=self._ageing_seconds,
                starts=self._frontier.starts(queue),
            )
        self._frontier.advance(queue, claimed)
        if claimed:
            self._latest = queue
        return self._push(queue, claimed, limit)

    def _step_keyed(self) -> float:
        """The same for jobs with a concurrency_key; a look at them costs more the more keys there are."""
        if not self._keyed_look.may_begin():
            return self._keyed_look.seconds_left()
        with self._keyed_look, self._database.connection() as conn:
            waiting = backlog.upcoming_keyed(conn)
        due = [each for each in waiting if each.seconds <= 0]
        if sum(self._claim_held(each.queue) if each.is_held else self._claim_keyed(each.queue) for each in due):
            return self._keyed_look.seconds_left()
        held_until = [self._more_in.get(each.queue, inf) for each in due if each.is_held]
        return min((*held_until, *(each.seconds for each in waiting if each.seconds > 0)), default=inf)

    def _claim_keyed(self, queue: str) -> int:
        if not (limit := self._room(queue)):
            return 0
        with CLAIM_SECONDS.time(), self._database.connection() as conn:
            claimed = transitions.claim_keyed(
                conn,
                queue=queue,
                limit=limit,
                lease_seconds=self._lease_seconds,
                ageing_seconds=self._ageing_seconds,
            )
        return self._push(queue, claimed, limit)

    def _room(self, queue: str) -> int:
        return min(self._batch_size, self._outbox.room(queue))

    def _push(self, queue: str, claimed: Sequence[Claimed], limit: int) -> int:
        if not claimed:
            return 0
        BATCH_SIZE.observe(len(claimed))
        ids = [job.id for job in claimed]
        try:
            self._outbox.push(queue, ids, more_wait=len(ids) == limit)
        except QueueUnavailable:
            with self._database.connection() as conn:
                returned = transitions.give_back(conn, ids)
            for job in claimed:
                self._frontier.forget(queue, job.priority)
            log.warning("claims given back: the queue cannot be reached", queue=queue, count=returned)
            raise
        mark("claim", (job.traceparent for job in claimed), queue=queue)
        return len(claimed)
