"""How calls are carried out, step by step: no socket, no clock."""

import inspect
from datetime import datetime
from typing import Any

import pytest

from scheduler.client import InMemory, LogIn, NotTheApi, Retries, errors, new_job
from scheduler.client.calls import Answer, Call, Lost, Sleep, document
from scheduler.client.exchange import Exchange, Send
from tests.unit.domain.test_errors import drawn

REFUSED = Answer(503, {"retry-after": "7"})
BROKEN = Lost("the connection broke", was_sent=True)
NO_CONNECTION = Lost("Connection refused", was_sent=False)
READING = Call("GET", "/api/jobs/1", document)
CREATING = Call("POST", "/api/job", document, key="k")
ACTING = Call("POST", "/api/cancel/1", document)


def test_the_tree_is_as_drawn() -> None:
    classes = [each for _, each in inspect.getmembers(errors, inspect.isclass) if each.__module__ == errors.__name__]
    assert {each.__name__: each.__bases__[0].__name__ for each in classes if each is not errors.ClientError} == drawn(
        errors.__doc__
    )


@pytest.mark.parametrize(
    ("call", "heard", "is_sent_again"),
    [
        (READING, BROKEN, True),
        (CREATING, BROKEN, True),
        (ACTING, BROKEN, False),
        (ACTING, NO_CONNECTION, True),
        (ACTING, REFUSED, False),
        (ACTING, Answer(429, {}), True),
        (CREATING, REFUSED, True),
        (READING, Answer(500, {}), False),
        (READING, Answer(404, {}), False),
    ],
)
def test_what_is_sent_again(call: Call[Any], heard: Answer | Lost, *, is_sent_again: bool) -> None:
    assert (Retries().pause(call, 1, heard) is not None) == is_sent_again
    assert Retries(attempts=3).pause(call, 3, heard) is None


def test_waits_double_and_differ_and_heed_what_they_are_told() -> None:
    retries = Retries(attempts=99, first_seconds=1, longest_seconds=8)
    for attempt, most in [(1, 1), (2, 2), (3, 4), (4, 8), (50, 8)]:
        waits = [retries.pause(READING, attempt, BROKEN) or 0 for _ in range(50)]
        assert most / 2 <= min(waits) < max(waits) <= most
    assert 7 < (retries.pause(READING, 1, REFUSED) or 0) <= 7.5
    assert retries.pause(READING, 1, Answer(503, {"retry-after": "9"})) is None
    assert (retries.pause(READING, 1, Answer(503, {"retry-after": "Wed, 21 Oct 2099 07:28:00 GMT"})) or 0) <= 1


def test_a_log_in_that_somebody_else_has_renewed_is_used_as_it_is() -> None:
    keeper = InMemory()
    keeper.save(LogIn(access_token="old", refresh_token="spent"))
    steps = Exchange("http://x", "", keeper, Retries()).carry_out(READING)
    assert steps.send(None) == Send(READING, "old")
    keeper.save(LogIn(access_token="new", refresh_token="good"))
    assert steps.send(Answer(401, {})) == Send(READING, "new")
    with pytest.raises(StopIteration) as end:
        steps.send(Answer(200, {}, b'{"id": 1}'))
    assert end.value.value == {"id": 1}


def test_a_key_is_never_renewed() -> None:
    steps = Exchange("http://x", "key", InMemory(), Retries()).carry_out(READING)
    assert steps.send(None) == Send(READING, "key")
    with pytest.raises(errors.Unauthenticated):
        steps.send(Answer(401, {"content-type": "application/problem+json"}, b'{"detail": "No."}'))


def test_a_broken_connection_is_waited_out() -> None:
    steps = Exchange("http://x", "key", InMemory(), Retries()).carry_out(READING)
    steps.send(None)
    assert isinstance(steps.send(NO_CONNECTION), Sleep)
    assert steps.send(None) == Send(READING, "key")


@pytest.mark.parametrize("content", [b"<html>", b"[]", b"[" * 100_000])
def test_an_answer_of_something_else_is_named(content: bytes) -> None:
    with pytest.raises(NotTheApi):
        Answer(200, {}, content).document()


def test_a_time_without_an_offset_is_refused_before_it_is_sent() -> None:
    with pytest.raises(ValueError, match="scheduled_at needs a time zone"):
        new_job("noop", scheduled_at=datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point
