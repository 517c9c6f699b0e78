"""Rescue jobs whose holder died: their leases ran out."""

import time
from collections.abc import Callable
from math import inf
from typing import Final

from scheduler.logs import get_log
from scheduler.metrics import FAILED, LOST
from scheduler.store import transitions
from scheduler.store.connection import Database

log = get_log("rescue")

_LIMIT: Final = 500


class Rescue:
    """The duty of rescuing. It trusts an expired lease only while PostgreSQL was there to be asked for another.

    After a lease without contact (an outage, a frozen server, or this picker just started) it holds back for half a
    lease, in which holders that live extend theirs and record what they finished: they try every second. It holds
    back once, and not again at once: a picker that is merely slow still rescues.
    """

    def __init__(
        self, database: Database, *, lease_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._database = database
        self._lease_seconds = lease_seconds
        self._last_contact = -inf
        self._hold_until = -inf

    def step(self) -> bool:
        """Rescue a batch; whether there may be more."""
        with self._database.connection() as conn:  # a round trip: a server that hung answers here, not in the rescue
            trusted = self._may_trust_leases(self._clock())
            rescued = transitions.rescue(conn, limit=_LIMIT, lease_seconds=self._lease_seconds, trusted=trusted)
            buried = transitions.bury(conn, limit=_LIMIT, lease_seconds=self._lease_seconds, trusted=trusted)
            self._last_contact = self._clock()
        LOST.inc(len(rescued.lost) + len(buried))
        FAILED.inc(len(buried))
        if rescued.picked:
            log.info("claims rescued", count=len(rescued.picked), job_ids=rescued.picked[:20])
        if rescued.lost or buried:
            log.warning(
                "attempts lost", retried=rescued.lost[:20], failed=buried[:20], count=len(rescued.lost + buried)
            )
        return _LIMIT in (len(rescued.picked) + len(rescued.lost), len(buried))

    def _may_trust_leases(self, now: float) -> bool:
        if now - self._last_contact > self._lease_seconds and now > self._hold_until + self._lease_seconds:
            self._hold_until = now + self._lease_seconds / 2
        self._last_contact = now
        return now >= self._hold_until
