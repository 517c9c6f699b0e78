"""Every page, in both themes, on a telephone and on a wide screen: it can be used, and runs no script but ours."""

import pytest
from playwright.sync_api import Request

from tests.acceptance.cluster import Cluster
from tests.browser.conftest import Visit

PAGES = {
    "overview": "/",
    "jobs": "/jobs",
    "jobs-none": "/jobs?search=nothing-like-it",
    "job-completed": "/jobs/1",
    "job-failed": "/jobs/2",
    "job-running": "/jobs/3",
    "job-pending": "/jobs/4",
    "job-edit": "/jobs/4/edit",
    "job-new": "/jobs/new?type=hostile_return",
    "job-new-mail": "/jobs/new?type=send_email",
    "schedules": "/schedules",
    "schedule": "/schedules/1",
    "schedule-new": "/schedules/new",
    "schedule-edit": "/schedules/1/edit",
    "templates": "/templates",
    "template-new": "/templates/new",
    "dead-letters": "/dead-letters",
    "queues": "/queues",
    "workers": "/workers",
    "queues-in-redis": "/admin/queues",
    "users": "/users",
    "keys": "/keys",
    "audit": "/audit",
}
LARGEST_FIRST_LOAD = 150_000
CANCELLED = "a[href='/jobs?status=cancelled'] strong"


@pytest.mark.parametrize("width", [360, 1600])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_can_be_used_by_anybody(visit: Visit, theme: str, width: int) -> None:
    visitor = visit(theme=theme, width=width)
    for name, path in PAGES.items():
        assert visitor.go(path).status == 200, name
        visitor.look(name)
        if (theme, width) in {("light", 360), ("dark", 1600)}:  # each theme and each width once: this takes long
            visitor.examine(name)
    assert visitor.go("/nowhere").status == 404
    visitor.complaints.clear()  # the browser reports the 404 itself
    visitor.look("not-found")


def test_the_log_in_page_can_be_used_by_anybody(visit: Visit) -> None:
    for theme in ("light", "dark"):
        visitor = visit(None, theme=theme)
        visitor.go("/login")
        visitor.look("log-in")
        visitor.examine("log-in")


@pytest.mark.parametrize("path", ["/", "/jobs", "/jobs/1"])
def test_a_first_visit_is_light(visit: Visit, path: str) -> None:
    visitor = visit()
    seen: list[Request] = []
    visitor.page.on("requestfinished", lambda request: seen.append(request))
    visitor.go(path)
    visitor.page.wait_for_load_state("networkidle")
    sizes = [each.sizes() for each in seen]
    assert 1_000 < sum(each["responseBodySize"] + each["responseHeadersSize"] for each in sizes) < LARGEST_FIRST_LOAD


def test_secrets_of_tasks_and_times_by_the_viewers_clock(visit: Visit, site: Cluster) -> None:
    visitor = visit()
    visitor.go("/jobs/4")
    assert "s3cret" not in visitor.page.content()
    assert "••••••" in visitor.text
    shown = visitor.page.locator("time").first
    assert (shown.get_attribute("title") or "").endswith("UTC")
    assert shown.inner_text() != shown.get_attribute("title")


def test_the_overview_refreshes_itself_and_can_be_paused(visit: Visit, site: Cluster) -> None:
    visitor = visit()
    visitor.go("/")
    before = int(visitor.page.locator(CANCELLED).inner_text())  # the schedule of the site comes and goes in "pending"
    site.call("POST", f"/api/cancel/{site.post_job('noop', delay_seconds=9e4)}", {})
    visitor.page.wait_for_function(
        "([place, before]) => Number(document.querySelector(place).textContent) > before", arg=[CANCELLED, before]
    )
    visitor.press("Pause updates")
    assert visitor.page.get_by_role("button", name="Resume updates").get_attribute("aria-pressed") == "true"
    assert visitor.complaints == []
