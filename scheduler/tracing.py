"""One trace from the request that creates a job, through picker and executor, into what its task asks of others.

Off, at hardly a cost, unless OpenTelemetry is installed (the extra `tracing`) and told where to send spans. A trace is
passed on as W3C's `traceparent`: with the job in PostgreSQL, and with the request of an `api` task.
"""

import threading
from collections.abc import Generator, Iterable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scheduler import __version__
from scheduler.logs import get_log

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

log = get_log("tracing")

_LAST_WORDS_SECONDS: Final = 1.0

Attribute = str | int


@dataclass(slots=True)
class Traced:
    """A span under way. `traceparent` is what comes of it belongs to; None where nobody follows."""

    traceparent: str | None
    failure: str | None = None
    """To be set where it ends badly without an exception."""


@dataclass(slots=True)
class _Tracing:
    provider: "TracerProvider"
    tracer: "Tracer"


_on: list[_Tracing] = []
"""Of this process; empty while nobody follows."""


def trace_to(endpoint: str, process: str) -> None:
    """Send the spans of this process to an OTLP collector over HTTP; none without an `endpoint`, or OpenTelemetry.

    To be called after any fork: spans are sent by a thread.
    """
    if not endpoint:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        log.warning("no traces: OpenTelemetry is not installed", remedy="install the extra: uv sync --extra tracing")
        return
    resource = Resource.create({"service.name": f"scheduler-{process}", "service.version": __version__})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")))
    _on[:] = [_Tracing(provider, provider.get_tracer("scheduler", __version__))]


def is_tracing() -> bool:
    """Whether spans are sent."""
    return bool(_on)


def flush() -> None:
    """Send what has not been sent, for a second at the most: before a process ends.

    In a thread, since OpenTelemetry heeds no limit, and goes on for ten seconds at a collector that does not answer.
    """
    for each in _on:
        sending = threading.Thread(target=each.provider.force_flush, daemon=True)
        sending.start()
        sending.join(_LAST_WORDS_SECONDS)


def span(name: str, parent: str | None, **attributes: Attribute) -> AbstractContextManager[Traced]:
    """A span around a block, below that `traceparent`, else the first of a trace.

    Off, what comes of the block belongs to `parent`. Underscores in the names of attributes stand for dots.
    """
    return _recorded(_on[0].tracer, name, parent, attributes) if _on else nullcontext(Traced(parent))


def mark(name: str, parents: Iterable[str | None], **attributes: Attribute) -> None:
    """Something that happened at once, in the traces of those `parents` that have one."""
    for each in _on:
        for parent in filter(None, parents):
            with _recorded(each.tracer, name, parent, attributes):
                pass


@contextmanager
def _recorded(tracer: "Tracer", name: str, parent: str | None, attributes: dict[str, Attribute]) -> Generator[Traced]:
    from opentelemetry.trace import StatusCode

    named = {key.replace("_", "."): value for key, value in attributes.items()}
    recorded = tracer.start_span(name, context=_context_of(parent), attributes=named)
    traced = Traced(_traceparent_of(recorded))
    try:
        yield traced
    except BaseException as error:
        traced.failure = type(error).__name__
        raise
    finally:
        if traced.failure is not None:
            recorded.set_status(StatusCode.ERROR, traced.failure)
        recorded.end()


def _context_of(parent: str | None) -> "Context":
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({"traceparent": parent} if parent else {}, Context())


def _traceparent_of(recorded: "Span") -> str | None:
    from opentelemetry.trace import set_span_in_context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier, set_span_in_context(recorded))
    return carrier.get("traceparent")
