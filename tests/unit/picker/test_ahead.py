"""How much is claimed before its time."""

from scheduler.picker.ahead import AHEAD_SECONDS, Ahead


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_so_much_and_then_no_more_until_that_is_over() -> None:
    clock = Clock()
    ahead = Ahead(lease_seconds=30, clock=clock)
    assert ahead.left("default", 10) == 10
    ahead.took("default", 7)
    assert ahead.left("default", 10) == 3
    assert ahead.left("mail", 10) == 10
    ahead.took("default", 5)
    assert ahead.left("default", 10) == 0
    clock.now += AHEAD_SECONDS
    assert ahead.left("default", 10) == 10


def test_a_short_lease_is_not_used_up_by_waiting() -> None:
    assert Ahead(lease_seconds=1).seconds == 0.25
    assert Ahead(lease_seconds=3600).seconds == AHEAD_SECONDS
