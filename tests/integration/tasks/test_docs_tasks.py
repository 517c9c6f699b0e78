"""Every example in docs/tasks.md, in order: the built-in types on real servers, and a module with its tests."""

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
from aiohttp import web

from scheduler.domain.job import JsonObject
from scheduler.domain.states import JobStatus
from scheduler.domain.statistics import Percentiles, Performance
from scheduler.domain.summary import JobsSummary
from scheduler.tasks.smtp_pool import SmtpConfig
from tests.integration.api.test_docs_api import shows
from tests.integration.tasks.running import Bench
from tests.integration.tasks.service import listening
from tests.integration.tasks.test_send_email import Mailbox, smtp_server

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "tasks.md").read_text()
TASKS = re.findall(r"```task\n(.*?)\n\n(.*?)\n```", PAGE, re.DOTALL)
MODULES = re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE, re.DOTALL)


def nothing_yet(_job_id: int, _window: object) -> JobsSummary:
    none = Percentiles(None, None, None)
    moment = psycopg.TimestampFromTicks(0)
    return JobsSummary(moment, moment, dict.fromkeys(JobStatus, 0), {}, Performance(0.0, None, none, none, []))


async def order(request: web.Request) -> web.Response:
    """What service.example is in the example."""
    assert (await request.json(), request.query_string) == ({"item": 7}, "notify=true")
    return web.json_response({"order": 1}, status=201)


def test_each_task_comes_to_what_is_shown(tmp_path: Path, database_url: str) -> None:
    assert len(TASKS) == PAGE.count("```task")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE orders AS SELECT n AS id, n * 1.5 AS total FROM generate_series(1, 5) AS n")

    async def run_all(port: int) -> None:
        bench = Bench(
            roots=(tmp_path,),
            allow=("127.0.0.1",),
            smtp=SmtpConfig("127.0.0.1", port),
            datasources={"shop": database_url},
            summarise=nothing_yet,
        )
        async with listening(order) as service:
            for asked, shown in TASKS:
                task: JsonObject = json.loads(asked.replace("https://service.example", service))
                data = task["data"]
                assert isinstance(data, dict)
                result = await bench.run(str(task["type"]), data)
                assert shows(json.loads(shown), result), f"{asked}\n{result}"
        await bench.registry.aclose()

    with smtp_server(Mailbox()) as port:
        asyncio.run(run_all(port))


def run_tests(folder: Path, *modules: Path) -> None:
    path = os.pathsep.join(map(str, (ROOT, *modules)))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, str(folder)]
    ran = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " passed" in ran.stdout


def test_the_module_and_its_tests(tmp_path: Path) -> None:
    assert [name for name, _ in MODULES] == ["shop_tasks.py", "test_shop_tasks.py"]
    for name, text in MODULES:
        (tmp_path / name).write_text(text)
    run_tests(tmp_path, tmp_path)


def test_the_tests_of_the_example_package(tmp_path: Path) -> None:
    package = ROOT / "docs" / "examples" / "word-count"
    for file in package.glob("tests/*.py"):
        (tmp_path / file.name).write_text(file.read_text())
    run_tests(tmp_path, package / "src")
