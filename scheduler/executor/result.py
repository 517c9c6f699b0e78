"""What a task returned, as the JSON text that its job keeps."""

import re
from typing import Any, Final

import orjson
from pydantic import BaseModel

from scheduler.domain.errors import PermanentError

MAX_RESULT_BYTES: Final = 2 * 1024 * 1024

_ESCAPED_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class EncodedResult(str):
    """JSON text that `encode_result` made already, in another process."""

    __slots__ = ()


def encode_result(result: object) -> str | None:
    """A result as JSON text, None for none; raises PermanentError for one that cannot be kept."""
    if result is None or isinstance(result, EncodedResult):
        return result
    try:
        encoded = orjson.dumps(result, default=_plain)
    except orjson.JSONEncodeError as error:
        raise PermanentError(f"The task's result is not JSON: {error}.", type="invalid_result") from None
    if len(encoded) > MAX_RESULT_BYTES:
        raise PermanentError(
            f"The task's result is {len(encoded)} bytes and a job keeps {MAX_RESULT_BYTES}: store it elsewhere, "
            "and return where.",
            type="result_too_large",
        )
    if _ESCAPED_NUL.search(encoded):
        raise PermanentError("The task's result holds a NUL character, which cannot be stored.", type="invalid_result")
    return encoded.decode()


def _plain(value: object) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} is not JSON serializable")
