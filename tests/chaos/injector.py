"""A fault -> what it does now, and what ends it later. All of it on the main thread, where servers must be started."""

# redis-py leaves some of its arguments untyped.
# pyright: reportUnknownMemberType=false

import heapq
import itertools
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Final

import psycopg
import redis

from scheduler.embedded import EmbeddedServers
from tests.chaos.faults import Fault
from tests.chaos.fleet import Fleet
from tests.chaos.wire import Mode, Wire

_TICK_SECONDS: Final = 0.02
_CONNECT_SECONDS: Final = 2
_KILL_BACKENDS: Final = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = %s"

End = Callable[[], object]


class Injector:
    """Injects faults in their time. `owner`: the database role that the product runs as."""

    def __init__(
        self,
        servers: EmbeddedServers,
        fleet: Fleet,
        wires: Mapping[str, Wire],
        *,
        database_url: str,
        owner: str,
        say: Callable[[str], None],
    ) -> None:
        self._servers = servers
        self._fleet = fleet
        self._wires = wires
        self._database_url = database_url
        self._owner = owner
        self._say = say
        self._order = itertools.count()
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self.injected: list[str] = []
        """What each fault was, of those that hit something."""

    def targets(self) -> dict[str, list[str]]:
        """By group, what can be hit."""
        return {
            "process": sorted(self._fleet.slots),
            "redis": ["redis"],
            "postgres": ["postgres"],
            "wire": sorted(self._wires),
        }

    def inject(self, faults: Iterable[Fault]) -> None:
        """Inject them one after another, and return when all have ended."""
        start = time.monotonic()
        for fault in faults:
            self.wait_until(start + fault.at)
            ends = self._begin(fault)
            self._say(f"{time.monotonic() - start:8.2f} s  {fault}{'' if ends else ': nobody there'}")
            if ends:
                self.injected.append(f"{fault.what} {fault.target.rstrip('-0123456789')}")
                heapq.heappush(self._due, (time.monotonic() + fault.seconds, next(self._order), ends))
        while self._due:
            self.wait_until(self._due[0][0])

    def settle(self, patience: float) -> None:
        """Wait until every process is back and ready: a busy machine takes its time to start one."""
        deadline = time.monotonic() + patience
        while not self._fleet.is_whole() and time.monotonic() < deadline:
            self.wait_until(time.monotonic() + _TICK_SECONDS)

    def wait_until(self, when: float) -> None:
        """Tend the fleet, and end the faults whose time is up, until then."""
        while True:
            now = time.monotonic()
            self._fleet.tend()
            while self._due and self._due[0][0] <= now:
                heapq.heappop(self._due)[2]()
            if now >= when:
                return
            time.sleep(_TICK_SECONDS)

    def _begin(self, fault: Fault) -> End | None:
        """Do it; the answer ends it, and is None when there was nothing to hit."""
        if fault.target == "redis":
            return self._hit_redis(fault.what)
        if fault.target == "postgres":
            return self._hit_postgres(fault.what)
        if wire := self._wires.get(fault.target):
            return self._hit_wire(fault.what, wire)
        return self._hit_process(fault)

    def _hit_process(self, fault: Fault) -> End | None:
        match fault.what:
            case "kill":
                return _nothing if self._fleet.kill(fault.target, fault.seconds) else None
            case "terminate":
                return _nothing if self._fleet.terminate(fault.target, fault.seconds) else None
            case _:
                freeze = self._fleet.freeze(fault.target, with_children=fault.what == "freeze all of")
                return partial(self._fleet.thaw, freeze) if freeze else None

    def _hit_redis(self, what: str) -> End:
        server = self._servers.valkey
        match what:
            case "flush":
                with redis.Redis.from_url(server.url, socket_timeout=5) as client:
                    client.flushall()
            case "restart":
                server.restart(immediate=True)
            case _:
                server.pause()
                return server.resume
        return _nothing

    def _hit_postgres(self, what: str) -> End:
        server = self._servers.postgres
        match what:
            case "restart":
                server.restart(immediate=True)
            case "kill backends of":
                self._kill_backends()
            case "exhaust":
                return partial(_close_all, self._take_connections())
            case _:
                server.pause()
                return server.resume
        return _nothing

    def _hit_wire(self, what: str, wire: Wire) -> End:
        match what:
            case "slow down":
                wire.become(Mode.SLOW)
            case "deaden":
                wire.become(Mode.DEAD)
            case _:
                wire.reset()
        return partial(wire.become, Mode.WHOLE)

    def _kill_backends(self) -> None:
        with psycopg.connect(self._servers.database_url, connect_timeout=_CONNECT_SECONDS) as admin:
            admin.execute(_KILL_BACKENDS, (self._owner,))

    def _take_connections(self) -> list[psycopg.Connection]:
        """All that the role may have, those in use included."""
        self._kill_backends()
        taken: list[psycopg.Connection] = []
        with suppress(psycopg.OperationalError):
            while True:
                taken.append(psycopg.connect(self._database_url, connect_timeout=_CONNECT_SECONDS))
        return taken


def _nothing() -> None:
    """A fault that is over at once."""


def _close_all(connections: Iterable[psycopg.Connection]) -> None:
    for connection in connections:
        connection.close()
