"""What went wrong with an attempt, as its record tells it."""

import traceback
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
        return {"type": error.type, "message": cut(storable(str(error)), _MAX_MESSAGE_BYTES)}
    trace = "".join(traceback.format_exception(error)[-_FRAMES:])
    return {
        "type": type(error).__name__,
        "message": cut(storable(str(error) or repr(error)), _MAX_MESSAGE_BYTES),
        "traceback": cut(storable(trace), _MAX_TRACEBACK_BYTES),
    }
