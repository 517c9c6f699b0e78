"""The exception tree: it is as drawn, and each error tells what its reader needs."""

import inspect
import re

import pytest

from scheduler.domain import errors
from scheduler.domain.errors import (
    Conflict,
    FieldError,
    IllegalTransition,
    InvalidInput,
    PermanentError,
    RetryLater,
    SchedulerError,
    TaskError,
)

LINE = re.compile(r"^(?P<indent>[│ ├└─]*)(?P<name>[A-Z]\w+)")


def drawn(page: str | None) -> dict[str, str]:
    """Each error of the drawing at the top of a file, and the one that it hangs on."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (page or "").splitlines()[2:]:
        if found := LINE.match(line):
            depth = len(found["indent"]) // 4
            path[depth:] = [found["name"]]
            if depth:
                parents[found["name"]] = path[depth - 1]
    return parents


def test_the_tree_is_as_drawn() -> None:
    classes = [each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, Exception)]
    assert {each.__name__: each.__bases__[0].__name__ for each in classes if each is not SchedulerError} == drawn(
        errors.__doc__
    )
    assert SchedulerError.__bases__ == (Exception,)


def test_an_illegal_transition_names_the_move_and_the_state() -> None:
    error = IllegalTransition(event="give_back", current_status="completed")
    assert str(error) == "A completed job cannot be given back."
    assert error.current_status == "completed"


def test_a_conflict_may_know_no_state() -> None:
    assert Conflict("taken").current_status is None


def test_invalid_input_names_each_field() -> None:
    faults = [
        FieldError(("task", "data", "url"), "is not a URL", "url"),
        FieldError(("jobs", 3), "is missing", "missing"),
    ]
    error = InvalidInput(faults)
    assert str(error) == "task.data.url: is not a URL; jobs.3: is missing"
    assert error.errors == tuple(faults)


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (TaskError("x"), "task_error"),
        (PermanentError("x"), "permanent"),
        (RetryLater(1), "retry_later"),
        (TaskError("x", type="smtp"), "smtp"),
        (PermanentError("x", type="invalid_data"), "invalid_data"),
    ],
)
def test_the_word_that_a_jobs_error_shows(error: TaskError, word: str) -> None:
    assert error.type == word


def test_a_word_of_its_own_leaves_the_class_as_it_was() -> None:
    TaskError("x", type="smtp")
    assert TaskError.type == "task_error"


@pytest.mark.parametrize(("asked", "granted"), [(3.5, 3.5), (0, 0), (-1, 0), (float("nan"), 0)])
def test_retry_later_never_asks_for_the_past(asked: float, granted: float) -> None:
    assert RetryLater(asked).seconds == granted
