"""From where claims look, and how often the full look may be made."""

from datetime import UTC, datetime, timedelta

from scheduler.domain.job import Claimed
from scheduler.picker.frontier import SETTLED_SECONDS, Frontier
from scheduler.picker.sparing import LONGEST_PAUSE_SECONDS, PAUSE_SHARE, Sparing
from scheduler.store.backlog import FROM_THE_FIRST, Start, Upcoming

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def claimed(job_id: int, *, priority: int = 5, late: float = 0.0) -> Claimed:
    return Claimed(job_id, priority, NOON + timedelta(seconds=late))


def test_an_unknown_queue_is_looked_at_from_the_first() -> None:
    assert Frontier().starts("default") == FROM_THE_FIRST


def test_the_frontier_follows_the_claims_once_they_have_settled() -> None:
    clock = Clock()
    frontier = Frontier(clock)
    frontier.advance("default", [claimed(9, priority=1), claimed(1), claimed(2, late=1)])
    assert list(frontier.starts("default")) == list(FROM_THE_FIRST)
    clock.now += SETTLED_SECONDS
    starts = {start.priority: start for start in frontier.starts("default")}
    assert starts[5] == Start(5, NOON + timedelta(seconds=1), 2)
    assert starts[1] == Start(1, NOON, 9)
    assert starts[9] == FROM_THE_FIRST[8]


def test_the_frontier_does_not_go_back_with_a_claim_of_an_older_job() -> None:
    clock = Clock()
    frontier = Frontier(clock)
    frontier.advance("default", [claimed(5, late=5)])
    frontier.advance("default", [claimed(6, late=1)])
    clock.now += SETTLED_SECONDS
    assert frontier.starts("default")[4] == Start(5, NOON + timedelta(seconds=5), 5)


def test_a_job_found_behind_the_frontier_takes_it_back() -> None:
    clock = Clock()
    frontier = Frontier(clock)
    frontier.advance("default", [claimed(5, late=5), claimed(6, priority=6)])
    clock.now += SETTLED_SECONDS
    frontier.seen(
        [Upcoming("default", 5, NOON, 3, -1.0, False), Upcoming("default", 6, NOON + timedelta(hours=1), 8, 1.0, False)]
    )
    assert frontier.starts("default")[4] == FROM_THE_FIRST[4]
    assert frontier.starts("default")[5] == Start(6, NOON, 6)


def test_a_full_look_makes_a_queue_known() -> None:
    frontier = Frontier()
    frontier.seen([Upcoming("mail", 5, NOON, 3, 1.0, False)])
    assert frontier.queues() == ["mail"]


def test_what_takes_long_is_done_less_often() -> None:
    clock = Clock()
    sparing = Sparing(every_seconds=1.0, clock=clock)
    assert sparing.may_begin()
    with sparing:
        clock.now += 0.125
    assert sparing.seconds_left() == 0.125 * PAUSE_SHARE
    clock.now += 0.125 * PAUSE_SHARE
    assert sparing.may_begin()
    with sparing:
        pass
    assert sparing.seconds_left() == 1.0
    sparing.at_once()
    assert sparing.may_begin()


def test_an_outage_in_the_middle_of_a_duty_does_not_put_it_off_for_long() -> None:
    clock = Clock()
    sparing = Sparing(clock=clock)
    with sparing:
        clock.now += 60.0
    assert sparing.seconds_left() == LONGEST_PAUSE_SECONDS
