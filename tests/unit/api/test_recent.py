"""What took long to find is given again for a moment."""

from scheduler.api.recent import LONGEST_SECONDS, QUICK_SECONDS, SHARE, Recent


class Counting:
    """Takes some seconds of its own clock to count one further."""

    def __init__(self, takes: float) -> None:
        self.now = 0.0
        self.takes = takes
        self.count = 0

    def find(self) -> int:
        self.now += self.takes
        self.count += 1
        return self.count


def test_what_is_quick_is_found_anew_each_time() -> None:
    counting = Counting(takes=QUICK_SECONDS / 2)
    recent = Recent(lambda: counting.now)
    assert [recent.get("it", counting.find) for _ in range(3)] == [1, 2, 3]


def test_what_took_long_is_kept_in_proportion() -> None:
    counting = Counting(takes=0.1)
    recent = Recent(lambda: counting.now)
    assert recent.get("it", counting.find) == 1
    counting.now += 0.1 * SHARE * 0.99
    assert recent.get("it", counting.find) == 1
    counting.now += 0.1 * SHARE * 0.02
    assert recent.get("it", counting.find) == 2


def test_nothing_is_kept_for_long() -> None:
    counting = Counting(takes=60)
    recent = Recent(lambda: counting.now)
    recent.get("it", counting.find)
    counting.now += LONGEST_SECONDS * 1.01
    assert recent.get("it", counting.find) == 2


def test_each_question_has_its_own_answer_until_all_are_forgotten() -> None:
    counting = Counting(takes=0.1)
    recent = Recent(lambda: counting.now)
    asked = ["one", "another", "one", "another"]
    assert [recent.get(each, counting.find) for each in asked] == [1, 2, 1, 2]
    recent.forget()
    assert [recent.get(each, counting.find) for each in asked] == [3, 4, 3, 4]
