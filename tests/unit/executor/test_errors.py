"""What the record of a failed attempt says, whatever the handler raised."""

from scheduler.domain.errors import PermanentError
from scheduler.executor.errors import describe


class Mute(Exception):
    """As one whose `__init__` forgot to call its parent's, and whose `__str__` reads what is not there."""

    def __str__(self) -> str:
        raise AttributeError("code")


class MuteTwice(Mute):
    def __repr__(self) -> str:
        raise AttributeError("code")


class Odd(Exception):
    def __str__(self) -> str:
        return None  # pyright: ignore[reportReturnType] - which str() refuses


def test_an_error_that_cannot_be_read_has_a_record_all_the_same() -> None:
    assert (describe(Mute())["type"], describe(Mute())["message"]) == ("Mute", "Mute()")
    assert describe(MuteTwice())["message"] == "MuteTwice"
    assert describe(Odd())["message"] == "Odd()"
    assert "traceback" in describe(MuteTwice())


def test_a_type_of_an_error_that_no_database_keeps_is_made_one_that_it_does() -> None:
    assert describe(PermanentError("x", type="a\x00b")) == {"type": "a\ufffdb", "message": "x"}
