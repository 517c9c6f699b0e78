"""Structured logs: one JSON line each for machines, or readable colours for a terminal."""

import logging
import sys
from types import ModuleType
from typing import Any, Final, cast

import orjson

# structlog would load rich, for tracebacks that we never print: 3 MB of each daemon. The command line loads it itself.
_loaded = cast("dict[str, ModuleType | None]", sys.modules)
_rich = _loaded.setdefault("rich", None)
import structlog  # noqa: E402

if _rich is None:
    del _loaded["rich"]

Log = structlog.typing.FilteringBoundLogger

_process_fields: Final[dict[str, str]] = {}


def configure_logs(*, process: str, log_format: str, level: str) -> None:
    """Set up logging for this process; `log_format` is `json` or `console`. Libraries' warnings join in."""
    shared: list[structlog.typing.Processor] = [
        _add_process_fields,
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info if log_format == "json" else _keep,
    ]
    renderer = (
        structlog.processors.JSONRenderer(serializer=_dump)
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            pad_event_to=0,
            exception_formatter=structlog.dev.plain_traceback,  # the rich one prints local variables: secrets
        )
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    log_everywhere(process=process)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def log_everywhere(**fields: str) -> None:
    """Let every line of this process carry these fields, whichever thread writes it."""
    _process_fields.update(fields)


def get_log(name: str) -> Log:
    """A logger whose lines carry `room=name`."""
    return cast("Log", structlog.get_logger(room=name))


def _dump(event: Any, **options: Any) -> str:
    return orjson.dumps(event, default=options.get("default", str)).decode()


def _add_process_fields(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for name, value in _process_fields.items():
        event.setdefault(name, value)
    return event


def _keep(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return event
