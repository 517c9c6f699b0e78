"""What went wrong with an attempt, as its record tells it."""

import traceback
from contextlib import suppress
from typing import Final

from scheduler.domain.errors import TaskError
from scheduler.domain.job import JsonObject
from scheduler.tasks.text import cut, storable

_MAX_MESSAGE_BYTES: Final = 4 * 1024
_MAX_TRACEBACK_BYTES: Final = 8 * 1024
_FRAMES: Final = 8


class Described(TaskError):
    """An error that was described where it was raised: in a child, out of which it might not come whole."""

    def __init__(self, description: JsonObject) -> None:
        super().__init__(str(description["message"]), type=str(description["type"]))
        self.description: Final = description


def describe(error: BaseException) -> JsonObject:
    """What a job's `error` shows: a stable word and a message; of an error nobody foresaw, the way to it as well."""
    if isinstance(error, Described):
        return error.description
    if isinstance(error, TaskError):
        return {"type": storable(error.type), "message": _message(error)}
    trace = "".join(traceback.format_exception(error)[-_FRAMES:])
    return {
        "type": type(error).__name__,
        "message": _message(error),
        "traceback": cut(storable(trace), _MAX_TRACEBACK_BYTES),
    }


def _message(error: BaseException) -> str:
    """What it says of itself; one of a handler's own class may be unable to, and still has a name."""
    said = ""
    for say in (str, repr):
        with suppress(Exception):
            said = said or say(error)
    return cut(storable(said or type(error).__name__), _MAX_MESSAGE_BYTES)
