"""What took very many rows to find is given again for a moment, and nothing else is."""

from itertools import count

from scheduler.api.recent import MANY, SECONDS, Recent


class Counting:
    """A clock, and a count that goes on with each look, over so many rows."""

    def __init__(self, rows: int) -> None:
        self.now = 100.0
        self._looks = count(1)
        self._rows = rows
        self._recent = Recent(lambda: self.now)

    def get(self, asked: str = "it") -> int:
        return self._recent.get(asked, lambda: next(self._looks), lambda _: self._rows)


def test_what_takes_few_rows_is_found_anew_each_time() -> None:
    counting = Counting(rows=MANY - 1)
    assert [counting.get() for _ in range(3)] == [1, 2, 3]


def test_what_takes_many_is_given_again_for_a_moment() -> None:
    counting = Counting(rows=MANY)
    assert counting.get() == 1
    counting.now += SECONDS * 0.99
    assert counting.get() == 1
    counting.now += SECONDS * 0.02
    assert counting.get() == 2


def test_each_question_has_its_own_answer() -> None:
    counting = Counting(rows=MANY)
    asked = ["one", "another", "one", "another"]
    assert [counting.get(each) for each in asked] == [1, 2, 1, 2]
