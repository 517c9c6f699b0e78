"""Which task types there are: the built-in ones, those of installed packages, and those of configured modules."""

import asyncio
import importlib
import importlib.metadata
import inspect
import re
import typing
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import ModuleType, SimpleNamespace
from typing import Final, Literal, TypeVar, cast

from pydantic import BaseModel, ValidationError
from pydantic.errors import PydanticUserError

from scheduler.domain.errors import ConfigurationError, FieldError, InvalidInput, PermanentError
from scheduler.domain.job import JsonObject

ENTRY_POINTS: Final = "scheduler.tasks"
NAME_PATTERN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}")

_MARKER: Final = "__scheduler_task__"

Handler = Callable[..., object]
"""Takes (data, context). Returns JSON, or from a coroutine function an awaitable of it."""
AnyHandler = TypeVar("AnyHandler", bound=Handler)


class Kind(StrEnum):
    """Where a handler runs."""

    ASYNC = "async"
    """On the executor's event loop."""
    THREAD = "thread"
    """In a thread: it may block."""
    PROCESS = "process"
    """In a process of its own: it may eat a CPU, crash, or hang, and is killed when its time is up."""


@dataclass(frozen=True, slots=True)
class TaskType:
    """A kind of work. `timeout_seconds` bounds an attempt beside the job's own timeout; `close` frees what it holds."""

    name: str
    kind: Kind
    model: type[BaseModel]
    handler: Handler
    timeout_seconds: float | None = None
    description: str = ""
    close: Callable[[], Awaitable[None]] | None = None

    @property
    def place(self) -> str:
        """The function that declares it, as an import path."""
        name: str = getattr(self.handler, "__qualname__", type(self.handler).__qualname__)
        return f"{self.handler.__module__}.{name.partition('.<locals>')[0]}"


class UnknownTask(PermanentError):
    """No such task type here: the module that declares it is not installed or not configured."""

    type = "unknown_task"


def task(
    name: str,
    *,
    kind: Literal["async", "thread", "process"] | None = None,
    timeout_seconds: float | None = None,
) -> Callable[[AnyHandler], AnyHandler]:
    """Declare a function `(data: Model, context: TaskContext) -> JSON` as the handler of task type `name`.

    `kind` is "async" for a coroutine function, else "thread", unless given. The function stays as it is.
    Raises ConfigurationError when the name, the signature or the kind does not fit.
    """

    def declare(handler: AnyHandler) -> AnyHandler:
        declared = TaskType(
            name=_checked_name(name),
            kind=_checked_kind(name, handler, kind),
            model=_model_of(name, handler),
            handler=handler,
            timeout_seconds=_checked_timeout(name, timeout_seconds),
            description=(inspect.getdoc(handler) or "").strip().partition("\n")[0],
        )
        setattr(handler, _MARKER, declared)
        return handler

    return declare


def declared_task(handler: Handler) -> TaskType:
    """The task type that a function was declared as; raises ConfigurationError when it was not."""
    for found in _marked([handler]):
        return found
    raise ConfigurationError(f"{handler!r} declares no task: decorate it with @task(...).")


class Registry:
    """The task types that this process knows, by name. Raises ConfigurationError when a name is declared twice."""

    def __init__(self, types: Iterable[TaskType]) -> None:
        self._types: dict[str, TaskType] = {}
        for each in types:
            twin = self._types.setdefault(each.name, each)
            if twin is not each:
                raise ConfigurationError(
                    f"Task type {each.name!r} is declared twice, by {twin.place} and by {each.place}: rename one."
                )
        self._schemas = {each.name: _schema_of(each) for each in self._types.values()}

    def get(self, name: str) -> TaskType:
        """The type of that name; raises UnknownTask."""
        try:
            return self._types[name]
        except KeyError:
            raise UnknownTask(self._unknown(name)) from None

    def validate(self, name: str, data: JsonObject) -> BaseModel:
        """`data` as the type's model; raises InvalidInput that names each fault under ("task", ...)."""
        known = self.require(name)
        try:
            return known.model.model_validate(data)
        except ValidationError as invalid:
            faults = invalid.errors(include_url=False, include_context=False, include_input=False)
            raise InvalidInput(
                [
                    FieldError(
                        ("task", "data", *_place(e["loc"], data, is_missing=e["type"] == "missing")),
                        e["msg"].removeprefix("Value error, "),
                        e["type"],
                    )
                    for e in faults
                ]
            ) from None

    def require(self, name: str) -> TaskType:
        """The type that an input names; raises InvalidInput when there is none."""
        known = self._types.get(name)
        if known is None:
            raise InvalidInput([FieldError(("task", "type"), self._unknown(name), UnknownTask.type)])
        return known

    def types(self) -> list[TaskType]:
        """Every type, by name."""
        return sorted(self._types.values(), key=lambda each: each.name)

    def json_schema(self, name: str) -> JsonObject:
        """The JSON Schema of a type's data; raises UnknownTask."""
        return self._schemas[self.get(name).name]

    async def aclose(self) -> None:
        """Free what the types hold, on the loop that they ran on."""
        closes = [each.close() for each in self._types.values() if each.close is not None]
        await asyncio.gather(*closes, return_exceptions=True)

    def _unknown(self, name: str) -> str:
        return f"There is no task type {name[:100]!r}. Known are: {', '.join(sorted(self._types)) or 'none'}."


def load_registry(builtins: Iterable[TaskType], modules: Sequence[str]) -> Registry:
    """The built-in types, those of the entry points `scheduler.tasks`, and those of `modules` (import paths).

    Raises ConfigurationError when an import fails, a module declares no task, or a name is declared twice.
    """
    declared = [*builtins]
    for point in importlib.metadata.entry_points(group=ENTRY_POINTS):
        source = f"entry point {point.name!r} of group {ENTRY_POINTS!r} ({point.value})"
        declared += _declared_by(_imported(source, point.load), source)
    for path in modules:
        source = f"module {path!r} of SCHEDULER_TASK_MODULES"
        declared += _declared_by(_imported(source, lambda path=path: importlib.import_module(path)), source)
    # A module that imports another's handler declares nothing new: the same function counts once.
    return Registry({id(each.handler): each for each in declared}.values())


def _imported(source: str, load: Callable[[], object]) -> object:
    try:
        return load()
    except (Exception, SystemExit) as cause:
        raise ConfigurationError(
            f"Cannot import the {source}: {type(cause).__name__}: {cause}. "
            "Install it where this process finds it (pip, or PYTHONPATH), or correct the name."
        ) from cause


def _declared_by(found: object, source: str) -> list[TaskType]:
    declared = [*_marked(vars(found).values() if isinstance(found, ModuleType) else [found])]
    if not declared:
        raise ConfigurationError(f"The {source} declares no task: decorate its handlers with @task(...).")
    return declared


def _marked(values: Iterable[object]) -> Iterator[TaskType]:
    for value in values:
        marker = getattr(value, _MARKER, None) if inspect.isfunction(value) else None
        if isinstance(marker, TaskType):
            yield marker


def _checked_name(name: str) -> str:
    if not NAME_PATTERN.fullmatch(name):
        raise ConfigurationError(f"{name!r} is not a task type's name: letters, digits and _ . : - only, 100 at most.")
    return name


def _checked_timeout(name: str, seconds: float | None) -> float | None:
    if seconds is not None and not 0 < seconds < float("inf"):
        raise ConfigurationError(f"Task {name!r}: timeout_seconds must be a positive number of seconds.")
    return seconds


def _checked_kind(name: str, handler: Handler, kind: str | None) -> Kind:
    is_async = inspect.iscoroutinefunction(handler)
    if kind is None:
        return Kind.ASYNC if is_async else Kind.THREAD
    if kind not in set(Kind):
        raise ConfigurationError(f"Task {name!r}: kind {kind!r} is none of {', '.join(Kind)}.")
    if is_async != (kind == Kind.ASYNC):
        wanted = "a coroutine function (async def)" if kind == Kind.ASYNC else "a plain function (def)"
        raise ConfigurationError(f"Task {name!r}: kind {kind!r} needs {wanted}; {_where(handler)} is not one.")
    if kind == Kind.PROCESS and "<locals>" in handler.__qualname__:
        raise ConfigurationError(
            f"Task {name!r}: a process imports its handler by name; move {_where(handler)} to the top of its module."
        )
    return Kind(kind)


def _model_of(name: str, handler: Handler) -> type[BaseModel]:
    """The pydantic model that annotates the handler's first parameter."""
    signature = inspect.signature(handler)
    try:
        signature.bind(None, None)
    except TypeError:
        raise ConfigurationError(f"Task {name!r}: {_where(handler)} must take (data, context).") from None
    first = next(iter(signature.parameters.values()))
    model = _resolved(name, handler, first)
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise ConfigurationError(
            f"Task {name!r}: annotate the first parameter of {_where(handler)} with a pydantic model "
            f"(def {handler.__name__}({first.name}: MyModel, context: TaskContext))."
        )
    return model


def _resolved(name: str, handler: Handler, parameter: inspect.Parameter) -> object:
    """The parameter's annotation, also where `from __future__ import annotations` made it a string."""
    if not isinstance(parameter.annotation, str):
        return parameter.annotation
    alone = SimpleNamespace(__annotations__={parameter.name: parameter.annotation})
    try:
        return typing.get_type_hints(alone, globalns=getattr(handler, "__globals__", {}))[parameter.name]
    except NameError as unknown:
        raise ConfigurationError(
            f"Task {name!r}: the annotation {parameter.annotation!r} of {_where(handler)} cannot be resolved "
            f"({unknown}): define the model at the top of the module, not under TYPE_CHECKING."
        ) from None


def _place(loc: tuple[str | int, ...], data: JsonObject, *, is_missing: bool) -> tuple[str | int, ...]:
    """`loc` without what stands nowhere in `data`, but for a field that `is_missing`: the last of it.

    Pydantic puts the alternatives of a union between, by names of its own, addresses in memory among them.
    """
    place: list[str | int] = []
    value: object = data
    for depth, part in enumerate(loc, start=1):
        if isinstance(part, int):
            elements = cast("list[object]", value) if isinstance(value, list) else []
            value = elements[part] if part < len(elements) else None
        elif isinstance(value, dict) and (part in value or (is_missing and depth == len(loc))):
            value = cast("JsonObject", value).get(part)
        else:
            continue
        place.append(part)
    return tuple(place)


def _schema_of(declared: TaskType) -> JsonObject:
    try:
        return declared.model.model_json_schema()
    except PydanticUserError as unfit:
        raise ConfigurationError(
            f"Task {declared.name!r} ({declared.place}): its model has no JSON Schema, so JSON cannot fill it: "
            f"{unfit.message}"
        ) from None


def _where(handler: Handler) -> str:
    return f"{handler.__module__}.{handler.__qualname__}"
