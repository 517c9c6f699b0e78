"""What a shop would have in its scheduler: for the pictures of the dashboard, and for looking at a page by hand."""

import random
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from scheduler.domain.account import NewAccount, Role
from scheduler.domain.password import hash_password
from scheduler.domain.schedule import Timing
from scheduler.store.accounts import create_account
from tests.acceptance.cluster import Cluster, free_port, running_cluster
from tests.browser.demo_history import Fault, Work, relive
from tests.browser.visitor import PASSWORD
from tests.servers import Servers, reachable_folder

PEOPLE: Final = (
    ("ada@example.com", "Ada", "Marsh", Role.ADMIN),
    ("jonas@example.com", "Jonas", "Weber", Role.USER),
    ("mei@example.com", "Mei", "Tanaka", Role.VIEWER),
)
_HOURS: Final = 26
_SEED: Final = 7

_BUSY: Final = Fault(
    "http_status",
    "POST https://pay.example.com/refunds answered 503 Service Unavailable.",
    7,
    ("POST https://pay.example.com/refunds answered 503", "the body of the answer: try again later"),
)
_AWAY: Final = Fault("connection", "GET https://rates.example.com/daily: cannot connect: connection refused.", 4)
_NO_MAILBOX: Final = Fault("smtp", "mail.example.com refused the message: 550 No such mailbox here.", 40)

_WORKS: Final = (
    Work(
        ("Welcome Ines", "Welcome Tom", "Welcome Amara", "Receipt 88213", "Receipt 88214"),
        "send_email",
        {"to": "ines@example.com", "subject": "Welcome", "message": "Good to have you here."},
        an_hour=70,
        typical_ms=140,
        queue="mail",
        fault=_NO_MAILBOX,
        most_attempts=1,
        logs=("mail.example.com took the message for 1 recipients",),
    ),
    Work(
        ("Refund order 20417", "Refund order 20433", "Refund order 20458"),
        "api",
        {
            "url": "https://pay.example.com/refunds",
            "method": "POST",
            "json": {"order": 20417, "amount": "49.90"},
            "headers": {"Authorization": "Bearer 5e0c7a"},
        },
        an_hour=18,
        typical_ms=420,
        queue="webhooks",
        priority=3,
        fault=_BUSY,
        logs=("POST https://pay.example.com/refunds answered 201",),
        result={"status": 201, "body": {"refund": 7731}},
    ),
    Work(("Stock of Hamburg", "Stock of Lyon"), "sync_stock", {"warehouse": "Hamburg"}, an_hour=24, typical_ms=900),
    Work(
        ("Pictures of product 3310", "Pictures of product 3311"),
        "resize_images",
        {"product": 3310},
        an_hour=12,
        typical_ms=5200,
        queue="media",
        priority=7,
    ),
)

_REPORT: Final = {"report": "jobs_summary", "path": "reports/jobs.html"}
_SCHEDULED: Final = (
    Work(
        ("Exchange rates",),
        "api",
        {"url": "https://rates.example.com/daily"},
        timing=Timing(cron="0 * * * *"),
        typical_ms=310,
        fault=_AWAY,
        most_attempts=1,
    ),
    Work(
        ("Import orders of the marketplaces",),
        "import_orders",
        {"marketplace": "Northwind"},
        timing=Timing(cron="*/15 * * * *", timezone="Europe/Berlin"),
        typical_ms=21_000,
    ),
    Work(
        ("Nightly report",),
        "generate_report",
        _REPORT,
        timing=Timing(cron="30 2 * * *", timezone="Europe/Berlin"),
        typical_ms=1900,
        queue="reports",
    ),
    Work(
        ("Morning figures for the team",),
        "query_database",
        {"datasource": "shop", "sql": "SELECT count(*) FROM orders"},
        timing=Timing(cron="0 7 * * MON-FRI", timezone="America/New_York"),
        typical_ms=130,
    ),
    Work(
        ("Stock of every warehouse",),
        "sync_stock",
        {"warehouse": "Lyon"},
        timing=Timing(cron="@every 6h"),
        typical_ms=3100,
    ),
    Work(
        ("Invoices of the month",),
        "send_email",
        {"to": "books@example.com", "subject": "Invoices"},
        timing=Timing(cron="0 9 1 * *", timezone="Asia/Tokyo"),
        typical_ms=180,
        queue="mail",
    ),
)

_TEMPLATES: Final = (
    (
        "Welcome mail",
        "For new customers, an hour after they signed up.",
        "send_email",
        {"to": "{{ email }}", "subject": "Welcome, {{ name }}", "message": "Good to have you here."},
    ),
    (
        "Refund",
        "Asks the payment provider to give money back.",
        "api",
        {
            "url": "https://pay.example.com/refunds",
            "method": "POST",
            "json": {"order": "{{ order }}"},
            "headers": {"Authorization": "Bearer 5e0c7a"},
        },
    ),
)


@contextmanager
def open_shop(servers: Servers, redis_url: str) -> Generator[Cluster]:
    """A cluster with a day of history behind it, and work at hand."""
    with (
        reachable_folder() as folder,
        running_cluster(
            servers,
            redis_url,
            folder,
            api_port=free_port(),
            scheduler_task_modules="tests.browser.demo_tasks",
            workspace_roots=folder / "workspace",
        ) as shop,
    ):
        folder.mkdir()
        _furnish(shop)
        yield shop


def _furnish(cluster: Cluster) -> None:
    with cluster.database.connection() as conn:
        for email, first, last, role in PEOPLE:
            hashed = hash_password(PASSWORD)
            create_account(
                conn, NewAccount(email=email, password_hash=hashed, role=role, first_name=first, last_name=last)
            )
    cluster.start("api")
    scheduled = [replace(work, schedule_id=_schedule(cluster, work, work.timing)) for work in _SCHEDULED if work.timing]
    with cluster.database.connection() as conn, conn.transaction():
        relive(conn, [*_WORKS, *scheduled], until=datetime.now(UTC), hours=_HOURS, chance=random.Random(_SEED))
    cluster.start("picker", "executor", "monitor")
    for name, description, task_type, data in _TEMPLATES:
        template = {"name": name, "description": description, "task": {"type": task_type, "data": data}}
        _call(cluster, "POST", "/api/templates", template)
    _call(cluster, "POST", "/api/auth/keys", {"name": "shop backend", "scope": "write"})
    _call(cluster, "POST", "/api/auth/keys", {"name": "wall display", "scope": "read"})
    _go_on(cluster)


def _schedule(cluster: Cluster, work: Work, timing: Timing) -> int:
    task = {"type": work.task_type, "data": work.data}
    when = {"cron": timing.cron, "timezone": timing.timezone}
    return _call(cluster, "POST", "/api/schedules", {"name": work.names[0], **when, "task": task, "queue": work.queue})[
        "id"
    ]


def _go_on(cluster: Cluster) -> None:
    """Some run, some wait in a queue that is paused, some are for later."""
    _call(cluster, "POST", "/api/queues/reports/pause", {})
    _call(cluster, "PATCH", "/api/queues/webhooks", {"max_running": 4, "rate_limit": {"count": 100, "per_seconds": 60}})
    for hours, name in ((1, "Reminder: cart of Tom"), (5, "Reminder: cart of Ines"), (30, "Newsletter of the week")):
        letter = {"to": "tom@example.com", "subject": "Still interested?", "message": "Your cart waits for you."}
        cluster.post_job("send_email", letter, name=name, queue="mail", delay_seconds=3600 * hours)
    for region in ("north", "south", "west"):
        cluster.post_job("generate_report", _REPORT, name=f"Sales of the {region}", queue="reports", priority=6)
    at_work = {"timeout_seconds": 3600}
    running = [
        cluster.post_job("import_orders", {"marketplace": "Northwind"}, name="Orders of Northwind", **at_work),
        cluster.post_job("resize_images", {"product": 3312}, name="Pictures of product 3312", queue="media", **at_work),
        cluster.post_job("resize_images", {"product": 3313}, name="Pictures of product 3313", queue="media", **at_work),
    ]
    called_off = cluster.post_job("sync_stock", {"warehouse": "Lyon"}, name="Stock of Lyon", delay_seconds=7200)
    _call(cluster, "POST", f"/api/cancel/{called_off}", {})
    for each in running:
        cluster.reach(each, "running")


def _call(cluster: Cluster, method: str, path: str, body: object) -> Any:
    answer = cluster.call(method, path, body)
    assert answer.status < 300, answer
    return answer.body
