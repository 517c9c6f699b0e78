"""Somebody at a browser: goes to pages, presses buttons, and looks at what is there."""

import re
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Self, cast

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Response, sync_playwright

PASSWORD: Final = "seven grey llamas, twelve hats"
AXE: Final = Path(__file__).parent / "vendor" / "axe.min.js"
_GRAVE: Final = {"serious", "critical"}


CHROMIUM: Final = shutil.which("chromium")
_FLAGS: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def running_browser() -> Generator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        yield browser
        browser.close()


@dataclass
class Visitor:
    """A browser window of its own: no cookies of others."""

    context: BrowserContext
    page: Page
    url: str
    label: str
    pictures: Path
    complaints: list[str] = field(default_factory=list[str])

    @classmethod
    def arriving(cls, browser: Browser, url: str, *, theme: str, width: int, pictures: Path) -> Self:
        scheme = cast("Literal['light', 'dark']", theme)
        context = browser.new_context(
            color_scheme=scheme, viewport={"width": width, "height": 900}, timezone_id="Europe/Berlin", locale="en-GB"
        )
        context.set_default_timeout(15_000)
        visitor = cls(context, context.new_page(), url, f"{theme}-{width}", pictures)
        visitor.page.on("console", visitor._hear)
        visitor.page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
        visitor.page.on("dialog", lambda dialog: dialog.accept())
        return visitor

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def leave(self) -> None:
        self.context.close()

    def go(self, path: str) -> Response:
        answer = self.page.goto(self.url + path)
        assert answer is not None
        return answer

    def log_in(self, email: str, password: str = PASSWORD) -> None:
        self.go("/login")
        self.page.get_by_label("E-mail").fill(email)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Log in").click()

    def press(self, name: str, within: Locator | None = None) -> None:
        (within or self.page.locator("main")).get_by_role("button", name=name, exact=True).click()

    @property
    def notice(self) -> str:
        return self.page.locator(".notice").first.inner_text()

    @property
    def where(self) -> str:
        """The path of the page."""
        return re.sub(r"^https?://[^/]+", "", self.page.url)

    @property
    def text(self) -> str:
        return self.page.locator("main").inner_text()

    def look(self, name: str) -> None:
        """A picture; no complaint of the browser, no script that came with data, nothing that is too wide."""
        self.pictures.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=self.pictures / f"{name}-{self.label}.png", full_page=True)
        assert self.page.evaluate("window.pwned") is None, "script out of a job has run"
        assert self.page.locator("script:not([src])").count() == 0
        assert self.complaints == []
        overflow = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, f"{name} is {overflow} px too wide"

    def examine(self, name: str) -> None:
        """Nothing that would keep anybody from using the page."""
        self.page.evaluate(AXE.read_text())  # evaluated by the debugger, which no policy holds back
        found: dict[str, Any] = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        grave = [
            (each["id"], each["help"], [node["html"][:200] for node in each["nodes"][:3]])
            for each in found["violations"]
            if each["impact"] in _GRAVE
        ]
        assert grave == [], (name, grave)
