"""`python -m tests.browser.pictures`: the pictures of the dashboard in docs/images, made anew.

A shop's day is made up in a database of its own, and Chromium looks at it. With a folder as the argument, the pictures
go there.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser

from tests.acceptance.cluster import Cluster
from tests.browser.demo import PEOPLE, open_shop
from tests.browser.visitor import Visitor, running_browser
from tests.eventually import eventually
from tests.servers import numbered_redis, running_servers

IMAGES: Final = Path(__file__).parents[2] / "docs" / "images"


@dataclass(frozen=True, slots=True)
class Picture:
    """One of a page; `prepare` does on it what the picture is about."""

    name: str
    path: str
    theme: str = "light"
    width: int = 1280
    height: int = 800
    prepare: Callable[[Visitor], None] = lambda _: None


def _write_a_rule(visitor: Visitor) -> None:
    visitor.page.get_by_label("Name", exact=True).fill("Nightly report")
    visitor.page.get_by_label("When (cron, or @every 90s)").fill("30 2 * * *")
    visitor.page.get_by_label("Time zone").fill("Europe/Berlin")
    visitor.page.get_by_text("At 02:30").wait_for()


def _choose_two(visitor: Visitor) -> None:
    for row in (2, 3):
        visitor.page.locator("tbody input[type=checkbox]").nth(row).check()


_PICTURES: Final = (
    Picture("overview", "/", height=900),
    Picture("jobs", "/jobs?search=order", prepare=_choose_two),
    Picture("job", "/jobs/{retried}", theme="dark"),
    Picture("schedules", "/schedules", height=540),
    Picture("new-schedule", "/schedules/new?type=generate_report", prepare=_write_a_rule),
    Picture("telephone", "/jobs", width=360, height=800),
)


def take(browser: Browser, shop: Cluster, folder: Path) -> None:
    """All of them."""
    retried = eventually(lambda: _retried(shop), 30, what="a job that took three attempts")
    for picture in _PICTURES:
        url = f"http://127.0.0.1:{shop.settings['api_port']}"
        visitor = Visitor.arriving(browser, url, theme=picture.theme, width=picture.width, pictures=folder)
        visitor.page.emulate_media(reduced_motion="reduce")  # else a tick is caught half way
        visitor.page.set_viewport_size({"width": picture.width, "height": picture.height})
        visitor.log_in(PEOPLE[0][0])
        visitor.go(picture.path.format(retried=retried))
        picture.prepare(visitor)
        visitor.page.screenshot(path=folder / f"{picture.name}.png")
        visitor.leave()


def _retried(shop: Cluster) -> int | None:
    jobs = shop.call("GET", "/api/jobs?queue=webhooks&status=completed&limit=200").body["jobs"]
    return next((each["id"] for each in jobs if each["attempt"] == each["max_attempts"]), None)


def main(folder: Path) -> None:
    """Make the shop, and take the pictures of it."""
    with (
        running_servers() as servers,
        open_shop(servers, numbered_redis(servers, 1)) as shop,
        running_browser() as browser,
    ):
        take(browser, shop, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES)
