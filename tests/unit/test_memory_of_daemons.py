"""A daemon has in memory what it runs, and no library beside it that it never uses."""

import subprocess
import sys

import pytest

HTTP_SERVER = {"flask", "granian", "httpx"}
TASKS = {"aiohttp", "aiosmtplib"}
UNUSED = {"rich", "jinja2"}


@pytest.mark.parametrize(
    ("daemon", "unused"),
    [
        ("picker", HTTP_SERVER | TASKS | UNUSED),
        ("executor", HTTP_SERVER | UNUSED),
        ("monitor", HTTP_SERVER | TASKS | UNUSED),
    ],
)
def test_a_daemon_loads_no_library_that_it_does_not_use(daemon: str, unused: set[str]) -> None:
    program = f"import sys, scheduler.cli, scheduler.wiring.{daemon}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.split()
    assert "structlog" in loaded
    assert unused.isdisjoint(loaded), unused.intersection(loaded)


def test_the_command_line_has_the_library_that_daemons_do_without() -> None:
    program = "import scheduler.logs, rich.console, rich.table; print(rich.table.Table)"
    subprocess.run([sys.executable, "-c", program], check=True)
