"""`generate_report`: sums up the jobs of the account that asks, into a file of the workspace or an e-mail."""

import asyncio
import base64
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from scheduler.domain.errors import PermanentError, TaskError, Unavailable
from scheduler.domain.job import JsonObject
from scheduler.domain.statistics import LONGEST_WINDOW_HOURS
from scheduler.domain.summary import JobsSummary
from scheduler.tasks.context import TaskContext
from scheduler.tasks.data import TaskData, WorkspacePath, example
from scheduler.tasks.email_message import Attachment, Mailboxes, SendEmail
from scheduler.tasks.files import store
from scheduler.tasks.mailer import Mailer
from scheduler.tasks.registry import Kind, TaskType
from scheduler.tasks.reports.jobs_summary import CONTENT_TYPES, Format, render
from scheduler.tasks.workspace import Workspace, explained

Summarise: TypeAlias = Callable[[int, timedelta], JobsSummary | None]
"""(job's id, window) → a summary of what the job's owner may see, None when the job is gone. Blocks."""


class GenerateReport(TaskData):
    """A report on the last `period_hours` (a week at most), to the file `path` or to the addresses `email_to`."""

    model_config = example(
        {"report": "jobs_summary", "period_hours": 24, "format": "html", "path": "reports/jobs.html"}
    )

    report: Literal["jobs_summary"]
    period_hours: Annotated[int, Field(ge=1, le=LONGEST_WINDOW_HOURS)] = 24
    format: Format = "html"
    path: WorkspacePath | None = None
    email_to: Mailboxes | None = None

    @model_validator(mode="after")
    def _goes_to_one_place(self) -> "GenerateReport":
        if (self.path is None) == (not self.email_to):
            raise ValueError("give path or email_to, and not both")
        return self


def nothing_to_summarise(_job_id: int, _window: timedelta) -> JobsSummary | None:
    """The summary where no store is at hand, as in a process that runs no tasks."""
    raise PermanentError("Reports are made by an executor.")


def generate_report_task(workspace: Workspace, mailer: Mailer, summarise: Summarise) -> TaskType:
    """The type `generate_report`, bound to where reports come from and go to."""

    async def generate_report(data: GenerateReport, context: TaskContext) -> JsonObject:
        text = await asyncio.to_thread(_report, data, context.job_id, summarise)
        if data.path is not None:
            return await asyncio.to_thread(_into_file, workspace, data.path, text)
        return await mailer.send(_letter(data, text), context)

    return TaskType(
        "generate_report",
        Kind.ASYNC,
        GenerateReport,
        generate_report,
        description="Sums up the jobs of the account that asks, into a file of the workspace or an e-mail.",
    )


def _report(data: GenerateReport, job_id: int, summarise: Summarise) -> str:
    try:
        summary = summarise(job_id, timedelta(hours=data.period_hours))
    except Unavailable as away:
        raise TaskError(str(away), type="unavailable") from away
    if summary is None:
        raise PermanentError("The job that asked for the report is gone.")
    return render(summary, data.format)


def _into_file(workspace: Workspace, path: str, text: str) -> JsonObject:
    place, content = workspace.place(path), text.encode()
    with workspace.parent(place, make=True) as (folder, name), explained(place):
        store(folder, name, mode="overwrite", content=content)
    return {"path": str(place), "bytes": len(content)}


def _letter(data: GenerateReport, text: str) -> SendEmail:
    """The report goes along as a file: what mail programs make of a page leaves its plots out."""
    attachment = Attachment(
        filename=f"jobs-summary.{data.format}",
        content_base64=base64.b64encode(text.encode()).decode(),
        content_type=CONTENT_TYPES[data.format],
    )
    return SendEmail(
        to=data.email_to or "",
        subject=f"Jobs of the last {data.period_hours} hours",
        message="The report is attached.\n",
        attachments=[attachment],
    )
