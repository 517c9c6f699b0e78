"""When a duty is done, and how much of the time it takes."""

from dataclasses import dataclass, field

import pytest

from scheduler.monitor.duty import BEHIND_SECONDS, Duty

EVERY = 10.0


@dataclass
class Work:
    """Steps that each take so long, by a clock of their own; `more` tells whether there is more after each."""

    takes: float = 1.0
    more: bool = False
    now: float = 100.0
    began: list[float] = field(default_factory=list[float])

    def step(self) -> bool:
        self.began.append(self.now)
        self.now += self.takes
        return self.more

    def pass_time(self, duty: Duty, seconds: float) -> None:
        """Do the duty whenever it asks for it."""
        until = self.now + seconds
        while (pause := duty.step_if_due()) + self.now < until:
            self.now += pause
        self.now = until


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def duty(work: Work) -> Duty:
    return Duty(EVERY, work.step, clock=lambda: work.now)


def test_it_is_done_at_once_and_then_every_so_often(work: Work, duty: Duty) -> None:
    assert duty.step_if_due() == EVERY
    work.now += EVERY - 0.5
    assert duty.step_if_due() == pytest.approx(0.5)
    assert work.began == [100.0]
    work.now += 0.5
    duty.step_if_due()
    assert work.began == [100.0, 111.0]


def test_more_work_is_done_soon(work: Work, duty: Duty) -> None:
    work.more = True
    assert duty.step_if_due() == 4.0


def test_a_long_step_is_followed_by_a_pause_as_long_as_its_share_asks(work: Work, duty: Duty) -> None:
    work.takes = 5.0
    assert duty.step_if_due() == 20.0


def test_a_fifth_of_the_time_at_most(work: Work, duty: Duty) -> None:
    work.more, work.takes = True, 0.1
    work.pass_time(duty, BEHIND_SECONDS / 2)
    assert len(work.began) * work.takes == pytest.approx(BEHIND_SECONDS / 2 / 5, rel=0.1)


def test_half_of_the_time_once_it_stays_behind(work: Work, duty: Duty) -> None:
    work.more, work.takes = True, 0.1
    work.pass_time(duty, BEHIND_SECONDS + 1)
    work.began.clear()
    work.pass_time(duty, 10.0)
    assert len(work.began) * work.takes == pytest.approx(5.0, rel=0.1)


def test_a_fifth_again_when_it_has_caught_up(work: Work, duty: Duty) -> None:
    work.more = True
    work.pass_time(duty, BEHIND_SECONDS * 2)
    work.more = False
    work.pass_time(duty, 1.0)
    work.more = True
    work.pass_time(duty, 2 * EVERY)
    assert duty.step_if_due() <= 4.0
    work.began.clear()
    work.pass_time(duty, 10.0)
    assert len(work.began) <= 3


def test_a_step_that_fails_is_due_again_at_once(work: Work) -> None:
    def fail() -> bool:
        raise RuntimeError

    duty = Duty(EVERY, fail, clock=lambda: work.now)
    with pytest.raises(RuntimeError):
        duty.step_if_due()
    with pytest.raises(RuntimeError):
        duty.step_if_due()
