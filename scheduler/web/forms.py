"""Forms for tasks: fields out of the JSON Schema of a type's data, and the data out of what was filled in."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from scheduler.domain.errors import FieldError, InvalidInput
from scheduler.web.stars import STARS

_HAS_OFFSET: Final = re.compile(r"(Z|[+-][0-9]{2}:[0-9]{2})$", re.IGNORECASE)
PREFIX: Final = "data."
_LONG_TEXTS: Final = {"message", "html", "content", "body", "sql", "description"}
_NUMBERS: Final = {"integer", "number"}
_ACRONYMS: Final = {"html", "id", "json", "sql", "url"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form; `kind` is text, lines, number, flag, choice or json."""

    name: str
    kind: str
    label: str
    hint: str
    is_required: bool
    value: str
    choices: tuple[str, ...] = ()
    takes_text: bool = False
    """Whether JSON is not the only thing that it may hold."""

    @property
    def key(self) -> str:
        return PREFIX + self.name


def fields_of(schema: Mapping[str, Any], values: Mapping[str, Any]) -> list[Field]:
    """The form for data of this schema, filled in with `values`, else with its defaults."""
    required = set(cast("list[str]", schema.get("required", ())))
    properties = cast("dict[str, dict[str, Any]]", schema.get("properties", {}))
    fields = [_field(name, each, name in required, values) for name, each in properties.items()]
    return sorted(fields, key=lambda field: not field.is_required)


def flags_of(schema: Mapping[str, Any]) -> list[str]:
    """The names of those fields that are ticked or not."""
    return [field.name for field in fields_of(schema, {}) if field.kind == "flag"]


def _field(name: str, told: Mapping[str, Any], is_required: bool, values: Mapping[str, Any]) -> Field:
    kind, choices = _kind(name, told)
    options = cast("list[dict[str, Any]]", told.get("anyOf", [told]))
    value = _as_text(kind, values.get(name, told.get("default")))
    if kind == "choice" and value and value not in choices:
        choices = (*choices, value)  # else the browser would send another in its place
    return Field(
        name=name,
        kind=kind,
        label=_label(name, cast("str | None", told.get("title"))),
        hint=cast("str", told.get("description") or ""),
        is_required=is_required,
        value=value,
        choices=choices,
        takes_text=any(each.get("type") == "string" for each in options),
    )


def _label(name: str, title: str | None) -> str:
    """The title that its author gave it; the one that pydantic makes up shouts with its capitals."""
    words = name.split("_")
    if title and title != " ".join(words).title():
        return title
    text = " ".join(word.upper() if word in _ACRONYMS else word for word in words)
    return text[:1].upper() + text[1:]


def _kind(name: str, told: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    options = [each for each in cast("list[dict[str, Any]]", told.get("anyOf", [told])) if each.get("type") != "null"]
    only = options[0] if len(options) == 1 else {}
    if "enum" in only or "const" in only:
        return "choice", tuple(map(str, only.get("enum", [only.get("const")])))
    match only.get("type"):
        case "boolean":
            return "flag", ()
        case "integer" | "number":
            return "number", ()
        case "string":
            return ("lines" if name in _LONG_TEXTS else "text"), ()
        case _:
            return "json", ()


def _as_text(kind: str, value: Any) -> str:
    if value is None:
        return ""
    if kind == "json" and not isinstance(value, str):  # what was filled in comes back as it was
        return json.dumps(value, indent=2, ensure_ascii=False)
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def data_of(schema: Mapping[str, Any], form: Mapping[str, str]) -> dict[str, Any]:
    """The data that was filled in, without what is empty or a default. Raises InvalidInput for no number or JSON."""
    data: dict[str, Any] = {}
    for field in fields_of(schema, {}):
        text = form.get(field.key, "")
        if field.kind == "flag":
            if (field.key in form) != (field.value == "true"):
                data[field.name] = field.key in form
        elif text.strip() and text != field.value:
            data[field.name] = STARS if text == STARS else _read(field, text)
    return data


def _read(field: Field, text: str) -> Any:
    if field.kind in {"number", "json"}:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            if field.kind == "json" and not text.lstrip().startswith(("{", "[", '"')):
                return text.strip()  # a word: most of these fields take text beside lists and objects
            raise InvalidInput(
                [
                    FieldError(
                        ("task", "data", field.name),
                        f"This is no {'JSON' if field.kind == 'json' else 'number'}.",
                        "unreadable",
                    )
                ]
            ) from None
    return text.replace("\r\n", "\n")


def as_number(text: str) -> int | float | str:
    """A number where it is one: what it is not, the API says."""
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def as_utc(text: str) -> str:
    """What a form's field for a time holds: UTC, as its label says, unless it names an offset."""
    if _HAS_OFFSET.search(text):
        return text
    return f"{text}Z" if text.count(":") > 1 else f"{text}:00Z"
