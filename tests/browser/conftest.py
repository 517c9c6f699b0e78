"""A real deployment, and a real browser that looks at it."""

from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from scheduler.domain.account import NewAccount, Role
from scheduler.domain.password import hash_password
from scheduler.store.accounts import create_account
from tests.acceptance.cluster import Cluster, free_port, running_cluster
from tests.browser.hostile_tasks import SCRIPT
from tests.browser.visitor import CHROMIUM, PASSWORD, Visitor, running_browser
from tests.servers import Servers, numbered_redis

Visit = Callable[..., Visitor]


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    """Debian's Chromium."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium here: apt-get install chromium")
    with running_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def site(servers: Servers, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Generator[Cluster]:
    """All four processes, three accounts, and things of every kind, whose every word is script."""
    folder = tmp_path_factory.mktemp("site")
    redis_url = numbered_redis(servers, 1 + int(worker_id.removeprefix("gw")) if worker_id != "master" else 1)
    with running_cluster(
        servers,
        redis_url,
        folder,
        api_port=free_port(),
        scheduler_task_modules="tests.browser.hostile_tasks",
        workspace_roots=folder / "workspace",
    ) as cluster:
        with cluster.database.connection() as conn:
            for role in Role:
                new = NewAccount(
                    email=f"{role}@example.com",
                    password_hash=hash_password(PASSWORD),
                    role=role,
                    first_name=SCRIPT[:90],
                )
                create_account(conn, new)
        cluster.start("api", "picker", "executor", "monitor")
        furnish(cluster)
        yield cluster


def furnish(cluster: Cluster) -> None:
    """Jobs in every state, a schedule, a template and a key."""
    hostile = {"name": SCRIPT, "description": SCRIPT}
    done = cluster.post_job("hostile_return", {"text": SCRIPT}, **hostile)
    failed = cluster.post_job("hostile_fail", {"text": SCRIPT}, **hostile)
    cluster.post_job("endless", {"text": SCRIPT}, timeout_seconds=3600, **hostile)
    headers = {"Authorization": "s3cret"}
    cluster.post_job("api", {"url": "https://example.com/", "headers": headers}, delay_seconds=9e4)
    cluster.call("POST", f"/api/cancel/{cluster.post_job('noop', delay_seconds=9e4, unique_key=SCRIPT)}")
    task = {"type": "hostile_return", "data": {"text": SCRIPT}}
    cluster.call("POST", "/api/schedules", {"name": SCRIPT, "cron": "*/2 * * * * *", "task": task})
    placeholder = {"type": "hostile_return", "data": {"text": "{{ who }} " + SCRIPT.replace("{{", "{")}}
    cluster.call("POST", "/api/templates", {"name": SCRIPT, "description": SCRIPT, "task": placeholder})
    cluster.reach(done, "completed")
    cluster.reach(failed, "failed")


@pytest.fixture
def visit(browser: Browser, site: Cluster) -> Generator[Visit]:
    """Somebody who looks at the site: `visit(role, theme=..., width=...)`."""
    visitors: list[Visitor] = []

    def come(role: str | None = "admin", *, theme: str = "light", width: int = 1600) -> Visitor:
        url = f"http://127.0.0.1:{site.settings['api_port']}"
        visitor = Visitor.arriving(browser, url, theme=theme, width=width, pictures=Path(".artefacts") / "pages")
        visitors.append(visitor)
        if role is not None:
            visitor.log_in(f"{role}@example.com")
        return visitor

    yield come
    for visitor in visitors:
        visitor.leave()
