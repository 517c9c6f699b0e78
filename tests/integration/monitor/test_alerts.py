"""What is bad for long enough is told, by webhook and by mail, once, however many monitors watch."""

import json
import threading
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import pytest

from scheduler.domain.alert import Condition
from scheduler.monitor.channels import email, webhook
from scheduler.monitor.tell import Tell
from scheduler.monitor.watch import FEWEST_ATTEMPTS, Limits, Watch
from scheduler.queue import Listener, Signals
from scheduler.store.connection import Database
from scheduler.store.vitals import oldest_due_seconds, recent_failures, schedule_late_seconds
from scheduler.tasks.smtp_pool import SmtpConfig
from tests.acceptance.cluster import free_port
from tests.acceptance.neighbours import Mailbox
from tests.eventually import eventually

OFF = Limits(failure_rate=0, oldest_due_seconds=0, schedule_late_seconds=0)
CHANNELS = ("webhook", "email")
INSERT_DUE = """
    INSERT INTO jobs (task_type, task_data, next_run_at, concurrency_key)
    VALUES ('note', '{}', now() - make_interval(secs => %s), %s)"""
INSERT_ATTEMPTS = "INSERT INTO attempt_slots VALUES (now() - %s::interval, 0, 'note', %s, 'duration', 1, %s)"
INSERT_SCHEDULE = """
    INSERT INTO schedules (cron, timezone, misfire, overlap, jitter_seconds, name, task_type, task_data, queue,
        priority, max_attempts, timeout_seconds, retry_backoff, retry_delay_seconds, retry_max_delay_seconds,
        retry_jitter, enabled, next_at, make_at)
    VALUES ('* * * * *', 'UTC', 'run_once', 'allow', 0, 'tick', 'note', '{}', 'default', 5, 3, 30, 'fixed', 1, 1, false,
        true, now() - make_interval(secs => %(late)s), now() - make_interval(secs => %(late)s))"""


class Hook:
    """Keeps what is posted, and answers with `status`."""

    def __init__(self) -> None:
        self.status = 204
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                hook.keys.append(self.headers["Idempotency-Key"])
                hook.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(hook.status)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/secret"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def hook() -> Generator[Hook]:
    hook = Hook()
    yield hook
    hook.server.shutdown()
    hook.server.server_close()


@pytest.fixture
def signals(redis_url: str) -> Generator[Signals]:
    with closing(Signals(redis_url)) as signals:
        yield signals


@pytest.fixture
def watch(db: Database, signals: Signals) -> Watch:
    """A monitor's, whose looks need no time between them. Nobody lives here, nor listens since the test before."""
    eventually(lambda: signals.live_pickers() == 0)
    return Watch(db, signals, OFF, CHANNELS, every_seconds=0)


def run(db: Database, statement: str, *parameters: object) -> None:
    with db.connection() as conn:
        conn.execute(statement.encode(), parameters)


def rows(db: Database, statement: str) -> list[Any]:
    with db.connection() as conn:
        return conn.execute(statement.encode()).fetchall()


def firing(db: Database) -> set[str]:
    return {name for (name,) in rows(db, "SELECT name FROM alerts WHERE is_firing")}


def look(watch: Watch, times: int = 3) -> set[str]:
    """What fires after so many looks."""
    for _ in range(times):
        watch.step()
    return firing(watch.database)


def told(tell: Tell) -> None:
    while tell.step():
        pass


# ── what is watched ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_pickers_are_known_by_listening(watch: Watch, signals: Signals, redis_url: str) -> None:
    assert look(watch) == {"no_picker", "no_executor"}
    picker = Listener(redis_url, "wake", lambda _: None)
    picker.start()
    eventually(lambda: signals.live_pickers() == 1)
    assert look(watch) == {"no_executor"}
    picker.stop()


def test_nobody_can_work_without_redis(watch: Watch) -> None:
    away = Signals(f"redis://127.0.0.1:{free_port()}/0")
    assert look(replace(watch, signals=away)) == {"no_picker", "no_executor"}


@pytest.mark.parametrize("key", [None, "k"])
def test_a_job_that_is_due_for_long(watch: Watch, db: Database, key: str | None) -> None:
    watch = replace(watch, limits=replace(OFF, oldest_due_seconds=300))
    run(db, INSERT_DUE, 200, key)
    assert "oldest_due" not in look(watch)
    run(db, INSERT_DUE, 400, key)
    assert "oldest_due" in look(watch)
    with db.connection() as conn:
        assert 400 <= oldest_due_seconds(conn) < 460
    run(db, "UPDATE jobs SET next_run_at = now() + interval '1 hour'")
    assert "oldest_due" not in look(watch)


def test_a_schedule_whose_job_nobody_makes(watch: Watch, db: Database) -> None:
    watch = replace(watch, limits=replace(OFF, schedule_late_seconds=300))
    with db.connection() as conn:
        assert schedule_late_seconds(conn) == 0
        conn.execute(INSERT_SCHEDULE, {"late": 200})
        assert "schedule_late" not in look(watch)
        conn.execute(INSERT_SCHEDULE, {"late": 400})
    assert "schedule_late" in look(watch)


def test_failures_are_a_rate_of_the_last_minutes(watch: Watch, db: Database) -> None:
    watch = replace(watch, limits=replace(OFF, failure_rate=0.5))
    run(db, INSERT_ATTEMPTS, "1 hour", "failed", 1_000)
    run(db, INSERT_ATTEMPTS, "1 minute", "cancelled", 1_000)
    run(db, INSERT_ATTEMPTS, "1 minute", "timed_out", FEWEST_ATTEMPTS - 1)
    assert "failure_rate" not in look(watch)  # so few say nothing
    run(db, INSERT_ATTEMPTS, "1 minute", "failed", 5)
    assert "failure_rate" in look(watch)
    run(db, INSERT_ATTEMPTS, "1 minute", "completed", 26)
    assert "failure_rate" in look(watch)  # below the limit, and not yet well below
    run(db, INSERT_ATTEMPTS, "2 minutes", "completed", 100)
    assert "failure_rate" not in look(watch)
    with db.connection() as conn:
        failures = recent_failures(conn, timedelta(minutes=15))
    assert (failures.failed, failures.ended) == (FEWEST_ATTEMPTS + 4, FEWEST_ATTEMPTS + 130)


# ── who is told, and how often ──────────────────────────────────────────────────────────────────────────────────────


def test_it_is_told_once_when_it_fires_and_once_when_it_is_over(watch: Watch, db: Database, hook: Hook) -> None:
    watch = replace(watch, limits=replace(OFF, oldest_due_seconds=300))
    run(db, INSERT_DUE, 400, None)
    with Mailbox.serving() as mailbox:
        smtp = SmtpConfig("127.0.0.1", mailbox.port, sender="scheduler@example.com")
        tell = Tell(db, {"webhook": webhook(hook.url), "email": email(smtp, ["ops@example.com"])})
        look(watch, 10)
        told(tell)
        run(db, "DELETE FROM jobs")
        look(watch, 10)
        told(tell)
    late = [body for body in hook.bodies if body["alert"] == "oldest_due"]
    assert [body["news"] for body in late] == ["firing", "resolved"]
    assert late[0]["text"].startswith("[firing] The oldest due job has waited for 4")
    assert late[0]["since"] == late[1]["since"]
    mails = [message_from_bytes(cast("bytes", each.content), policy=policy.default) for each in mailbox.envelopes]
    subjects = [mail["Subject"] for mail in mails if "oldest due" in mail["Subject"]]
    assert [subject.partition("]")[0] for subject in subjects] == ["[firing", "[resolved"]
    assert len({mail["Message-ID"] for mail in mails}) == len(mails)
    assert mailbox.envelopes[0].rcpt_tos == ["ops@example.com"]
    assert rows(db, "SELECT * FROM alert_messages") == []


def test_several_monitors_look_and_tell_as_one(watch: Watch, db: Database, hook: Hook, database_url: str) -> None:
    with closing(Database(database_url, name="second")) as second:
        here, there = replace(watch, every_seconds=3600), replace(watch, every_seconds=3600, database=second)
        for _ in range(3):
            assert firing(db) == set()  # two looks by now at the most, however many monitors wanted one
            here.step()
            there.step()
            here.step()
            run(db, "UPDATE alerts SET looked_at = looked_at - interval '2 hours'")
        tells = [Tell(each, {"webhook": webhook(hook.url)}) for each in (db, second)]
        threads = [threading.Thread(target=told, args=(tell,)) for tell in tells]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert firing(db) == {"no_picker", "no_executor"}
    assert sorted(body["alert"] for body in hook.bodies) == ["no_executor", "no_picker"]


def test_what_nobody_takes_is_sent_again_under_the_same_key(watch: Watch, db: Database, hook: Hook) -> None:
    look(replace(watch, channels=("webhook",)))
    run(db, "DELETE FROM alert_messages WHERE alert <> %s", Condition.NO_PICKER.value)
    tell = Tell(db, {"webhook": webhook(hook.url)})
    hook.status = 500
    told(tell)
    assert len(hook.bodies) == 1
    hook.status = 200
    told(tell)
    assert len(hook.bodies) == 1  # not at once
    run(db, "UPDATE alert_messages SET try_at = now()")
    told(tell)
    assert len(hook.bodies) == 2
    assert len(set(hook.keys)) == 1
    assert not tell.step()


def test_a_receiver_that_is_away_ends_nothing_and_shows_no_secret(
    watch: Watch, db: Database, hook: Hook, capsys: pytest.CaptureFixture[str]
) -> None:
    look(watch)
    gone = f"http://127.0.0.1:{free_port()}/secret"
    smtp = SmtpConfig("127.0.0.1", free_port())
    told(Tell(db, {"webhook": webhook(gone), "email": email(smtp, ["ops@example.com"])}))
    assert len(rows(db, "SELECT * FROM alert_messages")) == 4
    assert "alert not told" in (said := capsys.readouterr().out)
    assert "/secret" not in said
    run(db, "UPDATE alert_messages SET created_at = now() - interval '25 hours'")
    told(Tell(db, {}))
    assert rows(db, "SELECT * FROM alert_messages") == []
