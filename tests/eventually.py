"""Waiting for what another process or thread will do, without guessing how long it takes."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(condition: Callable[[], T], timeout: float = 10.0, *, what: str = "") -> T:
    """Call `condition` until what it returns is true, and return that; fails after `timeout` seconds.

    An AssertionError inside `condition` counts as "not yet", and the last one is shown.
    """
    deadline = time.monotonic() + timeout
    seen: object = None
    while True:
        try:
            value = condition()
        except AssertionError as not_yet:
            seen = not_yet
        else:
            if value:
                return value
            seen = value
        if time.monotonic() > deadline:
            raise AssertionError(
                f"{what or 'the condition'} did not come true within {timeout:g} s; last seen: {seen!r}"
            )
        time.sleep(0.01)
