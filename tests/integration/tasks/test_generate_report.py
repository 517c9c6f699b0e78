"""`generate_report`: what the owner of its job may see, in each format, into a file or a letter."""

import csv
import json
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from scheduler.domain.caller import Caller
from scheduler.domain.errors import InvalidInput, PermanentError, StoreUnavailable, TaskError
from scheduler.domain.job import JsonObject, NewJob
from scheduler.domain.states import JobStatus
from scheduler.domain.summary import JobsSummary
from scheduler.store.connection import Database
from scheduler.store.intake import create_job
from scheduler.store.summary import summarise_for
from scheduler.tasks.smtp_pool import SmtpConfig
from tests.integration.store.lives import led_to
from tests.integration.tasks.running import Bench
from tests.integration.tasks.test_send_email import Mailbox, smtp_server


@pytest.fixture
def bench(db: Database, tmp_path: Path) -> Bench:
    """Two jobs of the asking account have completed and one failed; another account has one, too."""
    with db.connection() as connection:
        connection.execute("ALTER TABLE jobs ALTER COLUMN id RESTART WITH 42")  # the job that asks
        for status in (JobStatus.COMPLETED, JobStatus.COMPLETED, JobStatus.FAILED):
            led_to(connection, status, NewJob(task_type="note", task_data={}))
        create_job(connection, Caller(7), NewJob(task_type="secret", task_data={}))

    def summarise(job_id: int, window: timedelta) -> JobsSummary | None:
        with db.connection() as connection:
            return summarise_for(connection, job_id, window)

    return Bench(roots=(tmp_path,), summarise=summarise)


def report(bench: Bench, form: str) -> str:
    """The report's text; what it says of itself is held against the file."""
    data: JsonObject = {"report": "jobs_summary", "format": form, "path": f"reports/jobs.{form}"}
    result = bench.run_alone("generate_report", data)
    file = Path(str(result["path"]))
    assert file == bench.roots[0] / f"reports/jobs.{form}"
    assert result["bytes"] == file.stat().st_size
    return file.read_text()


def test_json(bench: Bench) -> None:
    summary = json.loads(report(bench, "json"))
    assert summary["task_types"] == {"note": 3}
    assert summary["status_counts"] == {
        "pending": 0,
        "picked": 0,
        "running": 0,
        "completed": 2,
        "failed": 1,
        "cancelled": 0,
    }
    assert summary["performance"]["success_rate"] == pytest.approx(2 / 3)
    assert sum(moment["completed"] for moment in summary["performance"]["timeline"]) == 2


def test_csv(bench: Bench) -> None:
    rows = [*csv.reader(report(bench, "csv").splitlines())]
    assert rows[0] == ["section", "name", "value"]
    figures = {(section, name): value for section, name, value in rows[1:]}
    assert (figures["status", "completed"], figures["task_type", "note"]) == ("2", "3")
    assert sum(int(value) for (section, _), value in figures.items() if section == "failed") == 1


class Page(HTMLParser):
    """The words and the rectangles of a page, and whatever it would fetch or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.heights: list[float] = []
        self.foreign: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "rect" and "x" in given:
            self.heights.append(float(given["height"] or 0))
        if tag in ("script", "link", "img", "iframe") or {"src", "href", "onload"} & given.keys():
            self.foreign.append(tag)

    def handle_data(self, data: str) -> None:
        self.words.extend(data.split())


def test_html_is_whole_with_its_plots_inside(bench: Bench) -> None:
    text = report(bench, "html")
    page = Page(text)
    assert page.foreign == []
    assert "url(" not in text
    assert "note" in page.words
    assert "secret" not in page.words
    assert "66.7%" in page.words
    assert sum(page.heights) == pytest.approx(40)  # all attempts ended in one stretch, which is the highest


def test_a_report_on_nothing(bench: Bench, db: Database) -> None:
    with db.connection() as connection:
        connection.execute("DELETE FROM executions")
        connection.execute("DELETE FROM jobs WHERE id <> 42")
        connection.execute("UPDATE jobs SET owner_id = 99")
    for form in ("html", "csv", "json"):
        assert report(bench, form)


def test_by_e_mail(bench: Bench) -> None:
    mailbox = Mailbox()
    with smtp_server(mailbox) as port:
        sending = Bench(summarise=bench.summarise, smtp=SmtpConfig("127.0.0.1", port))
        data: JsonObject = {"report": "jobs_summary", "format": "csv", "email_to": ["ann@example.com"]}
        result = sending.run_alone("generate_report", data)
    assert result["accepted"] == ["ann@example.com"]
    (attachment,) = mailbox.message().iter_attachments()
    assert (attachment.get_filename(), attachment.get_content_type()) == ("jobs-summary.csv", "text/csv")
    assert "status,completed,2" in attachment.get_content()


def test_what_cannot_be_summed_up(bench: Bench) -> None:
    def away(_job_id: int, _window: timedelta) -> JobsSummary | None:
        raise StoreUnavailable("PostgreSQL does not answer")

    data: JsonObject = {"report": "jobs_summary", "path": "jobs.html"}
    with pytest.raises(TaskError) as caught:
        Bench(roots=bench.roots, summarise=away).run_alone("generate_report", data)
    assert (type(caught.value), caught.value.type) == (TaskError, "unavailable")
    with pytest.raises(PermanentError, match="is gone"):
        Bench(roots=bench.roots, summarise=lambda _job_id, _window: None).run_alone("generate_report", data)
    with pytest.raises(PermanentError, match="executor"):
        Bench(roots=bench.roots).run_alone("generate_report", data)
    with pytest.raises(PermanentError, match="outside the workspace"):
        bench.run_alone("generate_report", data | {"path": "/etc/jobs.html"})


@pytest.mark.parametrize(
    "data",
    [
        {"report": "jobs_summary"},
        {"report": "jobs_summary", "email_to": []},
        {"report": "jobs_summary", "path": "x", "email_to": "ann@example.com"},
        {"report": "everything", "path": "x"},
        {"report": "jobs_summary", "path": "x", "format": "pdf"},
        {"report": "jobs_summary", "path": "x", "period_hours": 0},
        {"report": "jobs_summary", "path": "x", "period_hours": 169},
    ],
)
def test_bad_data_is_refused(data: JsonObject) -> None:
    with pytest.raises(InvalidInput):
        Bench().run_alone("generate_report", data)
