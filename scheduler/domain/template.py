"""Templates: a task to make jobs of, with placeholders to be filled in for each."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from scheduler.domain.errors import FieldError, InvalidInput
from scheduler.domain.job import JsonObject, JsonValue

_PLACEHOLDER: Final = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]{0,99})\s*\}\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTemplate:
    """A template as it is asked for; `defaults` are options of the jobs to come."""

    name: str
    task_type: str
    task_data: JsonObject
    description: str | None = None
    defaults: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template as it stands."""

    id: int
    owner_id: int
    name: str
    description: str | None
    task_type: str
    task_data: JsonObject
    defaults: JsonObject
    created_at: datetime


def placeholders(value: JsonValue) -> Iterator[str]:
    """The name in each placeholder of every string in `value`, as often as it occurs."""
    if isinstance(value, str):
        yield from _PLACEHOLDER.findall(value)
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from placeholders(inner)


def fill(data: JsonObject, parameters: Mapping[str, JsonValue], *, max_bytes: int) -> JsonObject:
    """`data` with its placeholders filled in. A string that is one placeholder alone becomes the parameter as it is.

    Raises InvalidInput that names each placeholder without a parameter, each parameter without a placeholder, or
    when the result would take more than about `max_bytes`.
    """
    names = [*placeholders(data)]
    missing = [(name, f"The template has a placeholder {name}: give it a value.") for name in {*names} - {*parameters}]
    unknown = [(name, f"The template has no placeholder {name}.") for name in {*parameters} - {*names}]
    if missing or unknown:
        faults = [FieldError(("parameters", name), why, "placeholder") for name, why in sorted(missing + unknown)]
        raise InvalidInput(faults)
    sizes = {name: len(_as_text(value)) for name, value in parameters.items()}
    if len(json.dumps(data)) + sum(sizes[name] for name in names) > max_bytes:
        why = f"With these parameters the task's data would be larger than {max_bytes:,} bytes."
        raise InvalidInput([FieldError(("parameters",), why, "too_large")])
    return {key: _filled(value, parameters) for key, value in data.items()}


def _filled(value: JsonValue, parameters: Mapping[str, JsonValue]) -> JsonValue:
    if isinstance(value, dict):
        return {key: _filled(inner, parameters) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, parameters) for inner in value]
    if not isinstance(value, str):
        return value
    if alone := _PLACEHOLDER.fullmatch(value):
        return parameters[alone[1]]
    return _PLACEHOLDER.sub(lambda found: _as_text(parameters[found[1]]), value)


def _as_text(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
