"""Request bodies: strict JSON, judged before any model sees it."""

import json
import math
from collections.abc import Iterator
from typing import Any, Final, NoReturn, cast

from flask import Request
from werkzeug.exceptions import BadRequest

from scheduler.domain.errors import FieldError, InvalidInput

MAX_DEPTH: Final = 40
"""Of a whole body; leaves a task's data more than 32 levels."""
_INTEGERS: Final = range(-(2**63), 2**64)

Location = tuple[str | int, ...]


class JsonRequest(Request):
    """A request whose JSON is an object, or else an error that says what is wrong with it."""

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:  # noqa: ARG002 - Flask's signature
        """The body as a dict, {} when there is none; raises BadRequest when malformed, InvalidInput when unacceptable.

        It does so under `silent` as well: flask-openapi3 asks silently and would call malformed JSON "not a dict".
        """
        body = self.get_data(cache=False)
        self.stream.read(1)  # werkzeug cuts a chunked body at MAX_CONTENT_LENGTH, and only says so when asked for more
        return parse_object(body)


def parse_object(body: bytes) -> dict[str, object]:
    """The JSON object that `body` is; no bytes are the empty one. Raises as JsonRequest.get_json."""
    if not body:
        return {}
    try:
        document: object = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except RecursionError:
        raise BadRequest("The body is nested too deeply.") from None
    except json.JSONDecodeError as error:
        raise BadRequest(f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from None
    except ValueError as error:
        raise BadRequest(f"The body is not JSON: {error}.") from None
    if not isinstance(document, dict):
        raise InvalidInput([FieldError((), "The body must be a JSON object.", "object_type")])
    refuse(faults_of(cast("dict[str, object]", document)))
    return cast("dict[str, object]", document)


def refuse(faults: Iterator[FieldError]) -> None:
    """Raise InvalidInput if there are any faults, with the first few."""
    if found := [fault for fault, _ in zip(faults, range(20), strict=False)]:
        raise InvalidInput(found)


def faults_of(document: object) -> Iterator[FieldError]:
    """What no part of an input may hold, wherever it stands: what PostgreSQL could not keep as it is."""
    if not _is_sound(document):  # almost every one is, and to know where each value stands costs several times as much
        yield from _located_faults(document)


def _is_sound(document: object) -> bool:
    """Whether there surely is no fault; level by level, and with one look at all text together."""
    texts: list[str] = []
    level: list[object] = [document]
    for _ in range(MAX_DEPTH):
        inner: list[object] = []
        for value in level:
            if isinstance(value, str):
                texts.append(value)
            elif isinstance(value, dict):
                members = cast("dict[str, object]", value)
                texts += members
                inner += members.values()
            elif isinstance(value, list):
                inner += cast("list[object]", value)
            elif _fault_of_number(value):
                return False
        level = inner
    return not level and _fault_of_text("".join(texts)) is None


def _located_faults(document: object) -> Iterator[FieldError]:
    waiting: list[tuple[Location, object]] = [((), document)]
    while waiting:
        loc, value = waiting.pop()
        if isinstance(value, (dict, list)) and len(loc) >= MAX_DEPTH:
            yield FieldError(loc[:3], f"Nested deeper than {MAX_DEPTH} levels.", "nested_too_deeply")
        elif isinstance(value, dict):
            for key, inner in cast("dict[str, object]", value).items():
                if fault := _fault_of_text(key):
                    yield FieldError(loc, f"The name of a field {fault}", "text_unacceptable")
                else:
                    waiting.append(((*loc, key), inner))
        elif isinstance(value, list):
            waiting.extend(((*loc, index), inner) for index, inner in enumerate(cast("list[object]", value)))
        elif isinstance(value, str):
            if fault := _fault_of_text(value):
                yield FieldError(loc, f"The text {fault}", "text_unacceptable")
        elif fault := _fault_of_number(value):
            yield FieldError(loc, f"The number {fault}", "number_unacceptable")


def _fault_of_text(text: str) -> str | None:
    if "\0" in text:
        return "holds a NUL character (U+0000)."
    try:
        text.encode()
    except UnicodeEncodeError:
        return "holds half of a surrogate pair: it is not valid Unicode."
    return None


def _fault_of_number(value: object) -> str | None:
    if isinstance(value, float) and not math.isfinite(value):
        return "is too large."
    if type(value) is int and value not in _INTEGERS:
        return "does not fit in 64 bits: send it as text."
    return None


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")
