"""A summary of jobs as CSV, as JSON, and as a page of HTML with its plots inside."""

import csv
import io
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Final, Literal

import orjson

from scheduler.domain.states import JobStatus
from scheduler.domain.summary import JobsSummary

if TYPE_CHECKING:
    from jinja2 import Environment

Format = Literal["csv", "html", "json"]

CONTENT_TYPES: Final[dict[Format, str]] = {"csv": "text/csv", "html": "text/html", "json": "application/json"}

_COLOURS: Final = {
    JobStatus.COMPLETED: "#2f9e6e",
    JobStatus.FAILED: "#d6455d",
    JobStatus.RUNNING: "#3b7dd8",
    JobStatus.PICKED: "#6b5bd2",
    JobStatus.PENDING: "#d99a2b",
    JobStatus.CANCELLED: "#8a94a3",
}
_MOST_TYPES: Final = 20


def render(summary: JobsSummary, form: Format) -> str:
    """The summary as text in one of the formats."""
    return {"csv": _as_csv, "html": _as_html, "json": _as_json}[form](summary)


def _as_json(summary: JobsSummary) -> str:
    options = orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS
    return orjson.dumps(asdict(summary), option=options).decode() + "\n"


def _as_csv(summary: JobsSummary) -> str:
    """One figure a line, so that every tool can pick out what it wants."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(("section", "name", "value"))
    table.writerows(_figures(summary))
    return text.getvalue()


def _figures(summary: JobsSummary) -> Iterator[tuple[str, str, object]]:
    recent = summary.performance
    yield "window", "since", summary.since.isoformat()
    yield "window", "until", summary.until.isoformat()
    for status, jobs in summary.status_counts.items():
        yield "status", status.value, jobs
    for task_type, jobs in summary.task_types.items():
        yield "task_type", task_type, jobs
    yield "performance", "throughput_per_minute", recent.throughput_per_minute
    yield "performance", "success_rate", recent.success_rate
    for name, percentiles in (("queue_wait_ms", recent.queue_wait_ms), ("duration_ms", recent.duration_ms)):
        for percentile, value in asdict(percentiles).items():
            yield name, percentile, value
    for moment in recent.timeline:
        yield "completed", moment.at.isoformat(), moment.completed
        yield "failed", moment.at.isoformat(), moment.failed


def _as_html(summary: JobsSummary) -> str:
    """No script and nothing from elsewhere: the page is whole wherever it is opened."""
    busiest = max((moment.completed + moment.failed for moment in summary.performance.timeline), default=0)
    types = sorted(summary.task_types.items(), key=lambda each: -each[1])
    page = _pages().get_template("jobs_summary.html")
    return page.render(
        summary=summary,
        recent=summary.performance,
        total=sum(summary.status_counts.values()),
        busiest=busiest,
        types=types[:_MOST_TYPES],
        more_types=len(types[_MOST_TYPES:]),
        colours=_COLOURS,
    )


@cache
def _pages() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined  # not for executors that never make a page

    return Environment(
        loader=PackageLoader("scheduler.tasks.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
