"""The list of jobs without a mouse."""

from typing import Any, Final

from tests.acceptance.cluster import Cluster
from tests.browser.conftest import Visit
from tests.browser.visitor import Visitor

FOCUS: Final = """() => {
  const element = document.activeElement, style = getComputedStyle(element);
  const {left, top, width, height} = element.getBoundingClientRect();
  const there = document.elementFromPoint(left + width / 2, top + Math.min(height, innerHeight) / 2);
  return {
    name: element.ariaLabel || (element.matches("input, select") ? element.name : element.textContent.trim()),
    isMarked: style.outlineStyle !== "none" || style.boxShadow !== "none",
    isSeen: element.contains(there) || !!there?.contains(element),
  };
}"""
"""What has the focus; whether it is marked, and nothing lies over it."""
MOST_STOPS: Final = 200


def tab_to(visitor: Visitor, name: str) -> list[dict[str, Any]]:
    """What has the focus one after the other, until that has."""
    stops: list[dict[str, Any]] = []
    while not stops or stops[-1]["name"] != name:
        assert len(stops) < MOST_STOPS, [each["name"] for each in stops]
        visitor.page.keyboard.press("Tab")
        stops.append(visitor.page.evaluate(FOCUS))
    return stops


def test_all_that_can_be_reached_is_marked_and_seen_in_the_order_of_reading(visit: Visit, site: Cluster) -> None:
    jobs = [site.post_job("noop", name=f"tab {n}", queue="tabs", delay_seconds=9e4) for n in range(30)][::-1]
    visitor = visit()
    visitor.go("/jobs?queue=tabs")
    visitor.page.emulate_media(reduced_motion="reduce")
    stops = tab_to(visitor, "Duplicate")
    assert [each for each in stops if not (each["isMarked"] and each["isSeen"])] == []
    names = [each["name"] for each in stops]
    fields = ["search", "status", "taskType", "queue", "priority", "startDate", "endDate", "sort", "Filter", "Clear"]
    rows = [name for job in jobs for name in (f"Choose job {job}", str(job), f"tab {jobs[::-1].index(job)}")]
    wanted = ["Skip to the content", "Download CSV", "New job", *fields, "Choose all jobs on this page", *rows, "scope"]
    assert [name for name in dict.fromkeys(names) if name in wanted] == wanted


def test_jobs_are_chosen_and_cancelled_by_keys_alone(visit: Visit, site: Cluster) -> None:
    jobs = [site.post_job("noop", name=f"alone {n}", queue="alone", delay_seconds=9e4) for n in range(3)]
    visitor = visit()
    visitor.go("/jobs?queue=alone")
    visitor.page.keyboard.press("j")
    visitor.page.keyboard.press("x")
    tab_to(visitor, f"Choose job {jobs[0]}")
    visitor.page.keyboard.press("Space")
    tab_to(visitor, "Cancel")
    visitor.page.keyboard.press("Enter")
    visitor.page.get_by_text("2 jobs cancelled.").wait_for()
    assert [site.job(each).status.value for each in jobs] == ["cancelled", "pending", "cancelled"]
