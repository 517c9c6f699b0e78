"""The processes of the product, each in a slot that is filled again when it was emptied on purpose."""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.acceptance.cluster import Cluster, Node

_TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")
TERM_SLACK_SECONDS: Final = 8.0
"""What leaving may take after the grace: connections that hang have to be given up first."""


@dataclass
class Freeze:
    """When these processes stood still. Times are monotonic; one that lasts has no end yet."""

    since: float
    pids: list[int]
    until: float = float("inf")


@dataclass
class Life:
    """One process, from its start to its end. Times are monotonic."""

    slot: str
    pid: int
    born: float
    died: float | None = None
    freezes: list[Freeze] = field(default_factory=list[Freeze])
    memory: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])
    """Resident bytes, by age in seconds."""


@dataclass
class Slot:
    """A place for one process of a role."""

    name: str
    role: str
    settings: dict[str, object]
    node: Node | None = None
    life: Life | None = None
    ending: float | None = None
    """When we asked it to end; None: it shall live."""
    term_deadline: float | None = None
    absent_for: float = 0.0
    back_at: float | None = None


class Fleet:
    """All slots. What a process did that nobody made it do is added to `findings`."""

    def __init__(self, cluster: Cluster, slots: Sequence[Slot], *, grace_seconds: float) -> None:
        self._cluster = cluster
        self._grace_seconds = grace_seconds
        self.slots = {slot.name: slot for slot in slots}
        self.lives: list[Life] = []
        self.findings: list[str] = []
        self.slowest_exit = 0.0

    def start(self) -> None:
        """Fill every slot, and wait until all are ready."""
        for slot in self.slots.values():
            self._fill(slot)
        for slot in self.slots.values():
            if slot.node:
                slot.node.wait_ready()

    def names(self, role: str) -> list[str]:
        return [slot.name for slot in self.slots.values() if slot.role == role]

    # ── what befalls a process: false when its slot is empty ──────────────────────────────────────────────────

    def kill(self, name: str, absent_for: float) -> bool:
        if (slot := self._up(name)) is None or slot.node is None:
            return False
        self._end(slot, absent_for)
        slot.node.process.kill()
        return True

    def terminate(self, name: str, absent_for: float) -> bool:
        if (slot := self._up(name)) is None or slot.node is None:
            return False
        self._end(slot, absent_for)
        slot.term_deadline = time.monotonic() + self._grace_seconds + TERM_SLACK_SECONDS
        slot.node.terminate()
        return True

    def freeze(self, name: str, *, with_children: bool) -> Freeze | None:
        if (slot := self._up(name)) is None or slot.life is None:
            return None
        pids = family(slot.life.pid) if with_children or slot.role == "api" else [slot.life.pid]
        freeze = Freeze(time.monotonic(), pids)
        slot.life.freezes.append(freeze)
        _signal(pids, signal.SIGSTOP)
        return freeze

    def thaw(self, freeze: Freeze) -> None:
        freeze.until = time.monotonic()
        _signal(freeze.pids, signal.SIGCONT)

    # ── watching ────────────────────────────────────────────────────────────────────────────────────────────────

    def tend(self) -> None:
        """Notice who ended, and fill the slots whose time has come."""
        now = time.monotonic()
        for slot in self.slots.values():
            if slot.node and not slot.node.is_alive:
                self._bury(slot, now)
            elif slot.node and slot.term_deadline and now > slot.term_deadline:
                self.findings.append(f"{slot.name} still lived {now - (slot.ending or now):.1f} s after its SIGTERM")
                slot.term_deadline = None
                slot.node.process.kill()
            if slot.back_at and now >= slot.back_at:
                self._fill(slot)

    def weigh(self) -> None:
        """Note how much memory each process takes."""
        for life in self.lives:
            if life.died is None and (size := sum(map(resident_bytes, family(life.pid)))):
                life.memory.append((time.monotonic() - life.born, size))

    def is_whole(self) -> bool:
        """Whether every slot is filled with a process that is ready."""
        return all(
            slot.node and slot.ending is None and f"{slot.role} ready" in slot.node.log for slot in self.slots.values()
        )

    def _up(self, name: str) -> Slot | None:
        slot = self.slots[name]
        return slot if slot.node and slot.ending is None and slot.node.is_alive else None

    def _end(self, slot: Slot, absent_for: float) -> None:
        slot.ending, slot.absent_for = time.monotonic(), absent_for

    def _bury(self, slot: Slot, now: float) -> None:
        node, life = slot.node, slot.life
        if node is None or life is None:
            return
        life.died, code = now, node.process.returncode
        if slot.ending is None:
            self.findings.append(f"{slot.name} ended by itself with {code}: {node.log_file.name}")
        elif slot.term_deadline is not None:
            self.slowest_exit = max(self.slowest_exit, now - slot.ending)
            if code != 0 and f"{slot.role} ready" in node.log:
                self.findings.append(f"{slot.name} ended with {code} when asked to stop: {node.log_file.name}")
        slot.node = slot.life = slot.ending = slot.term_deadline = None
        slot.back_at = now + slot.absent_for

    def _fill(self, slot: Slot) -> None:
        slot.back_at = None
        slot.node = self._cluster.launch(slot.role, **slot.settings)
        slot.life = Life(slot.name, slot.node.process.pid, time.monotonic())
        self.lives.append(slot.life)


def family(pid: int) -> list[int]:
    """The process and all that it made, the oldest first."""
    return [pid, *(each for child in _children(pid) for each in family(child))]


def _children(pid: int) -> Iterator[int]:
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError):
                yield from map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split())


def cpu_seconds(pid: int) -> float:
    """What the process and all that it made, as far as they live, have used."""
    stats = [Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split() for each in family(pid)]
    return sum(int(fields[11]) + int(fields[12]) for fields in stats) / _TICKS_PER_SECOND


def resident_bytes(pid: int) -> int:
    """Memory that the process has in use; 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def _signal(pids: Sequence[int], signum: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signum)
