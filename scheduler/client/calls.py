"""What is asked of the API and what is heard, as values: everything about a call but its way over the network."""

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Generic, TypeVar, cast

from scheduler.client.errors import NotTheApi
from scheduler.domain.job import JsonObject, JsonValue

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Query = Mapping[str, str | int | float | Sequence[str] | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `stream` is the transport's own response where the call asked for its content in pieces."""

    status: int
    headers: Mapping[str, str]
    content: bytes = b""
    stream: object = None

    def document(self) -> JsonObject:
        """The JSON object that it holds; raises NotTheApi when it holds something else."""
        try:
            found: object = json.loads(self.content)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise NotTheApi("This is no scheduler API: it did not answer JSON. Correct its address.")
        return cast("JsonObject", found)


@dataclass(frozen=True, slots=True)
class Lost:
    """No answer came. `was_sent` when the request may have arrived, and may have been carried out."""

    reason: str
    was_sent: bool


@dataclass(frozen=True, slots=True)
class Call(Generic[T_co]):
    """One request, and how to read its answer.

    `key` is sent as Idempotency-Key: with one, or when `again`, it may be repeated after an answer that got lost.
    """

    method: str
    path: str
    read: Callable[[Answer], T_co]
    query: Query = field(default_factory=dict[str, Any])
    body: JsonObject | None = None
    key: str | None = None
    again: bool = False
    anonymous: bool = False
    streams: bool = False

    def after(self, cursor: str) -> "Call[T_co]":
        """The same list, from there on."""
        return replace(self, query={**self.query, "cursor": cursor})


@dataclass(frozen=True, slots=True)
class Sleep:
    """Let this time pass."""

    seconds: float


Plan = Generator[Call[Any] | Sleep, Any, T]
"""Several calls on the way to one result, without a word on how they are made."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page of a list. `total` is that of all pages; beyond 10,000 it may be an estimate."""

    items: Sequence[T]
    total: int
    total_is_estimate: bool
    next_cursor: str | None


def nothing(_: Answer) -> None:
    """Read an answer that has no content."""


def document(answer: Answer) -> JsonObject:
    """Read an answer as it is."""
    return answer.document()


def given(**fields: object) -> JsonObject:
    """A body or a query of what is not None; times become RFC 3339, and have to have an offset."""
    return {name: _plain(name, value) for name, value in fields.items() if value is not None}


def _plain(name: str, value: object) -> JsonValue:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{name} needs a time zone: datetime(..., tzinfo=UTC).")
        return value.isoformat()
    if isinstance(value, tuple | frozenset | set):
        return cast("JsonValue", [*cast("tuple[object, ...]", value)])
    return cast("JsonValue", value)
