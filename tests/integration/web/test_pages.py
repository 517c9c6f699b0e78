"""The pages without a browser: log-in, errors, and input that nobody's form would send."""

import html
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from werkzeug.test import TestResponse

from scheduler.api.app import Services, create_app
from scheduler.domain.account import NewAccount, Role
from scheduler.domain.caller import Caller
from scheduler.domain.job import NewJob
from scheduler.domain.password import hash_password
from scheduler.store.accounts import create_account
from scheduler.store.connection import Database
from scheduler.store.intake import create_jobs
from scheduler.web.app import dashboard
from tests.credentials import access_token
from tests.integration.api.calls import NOOP, Api

PASSWORD = "seven grey llamas, twelve hats"
PAGES = (
    *("/", "/jobs", "/jobs/new", "/jobs/1", "/jobs/1/edit", "/schedules", "/schedules/new", "/templates"),
    *("/templates/new", "/queues", "/workers", "/dead-letters", "/keys", "/users", "/audit", "/admin/queues"),
)
LOOKED_AT = ("/", "/jobs", "/schedules", "/templates", "/queues", "/workers", "/dead-letters")


class Dashboard:
    """A browser without scripts, logged in as an admin."""

    def __init__(self, services: Services) -> None:
        self.app = create_app(services, dashboard)
        self.client = self.app.test_client()
        with services.database.connection() as conn:
            new = NewAccount(email="admin@example.com", password_hash=hash_password(PASSWORD), role=Role.ADMIN)
            create_account(conn, new)

    def log_in(self, password: str = PASSWORD, **form: str) -> TestResponse:
        return self.client.post("/login", data={"email": "admin@example.com", "password": password} | form)

    def get(self, path: str) -> TestResponse:
        return self.client.get(path)

    def post(self, path: str, form: Mapping[str, Any] | None = None) -> TestResponse:
        """With the token that the pages bear."""
        token = re.search(r'name="csrf" value="([0-9a-f]{64})"', self.get("/keys").text)
        assert token
        return self.client.post(path, data={"csrf": token[1], **(form or {})})

    def notice(self, path: str, form: Mapping[str, Any]) -> str:
        """What the page says that the change leads to."""
        answer = self.post(path, form)
        assert answer.status_code == 303, answer.text
        shown = re.search(r'class="notice[^>]*>([^<]*)<', self.get(answer.headers["Location"]).text)
        return shown[1] if shown else ""


@pytest.fixture
def visitor(services: Services) -> Dashboard:
    return Dashboard(services)


@pytest.fixture
def admin(visitor: Dashboard) -> Dashboard:
    assert visitor.log_in().status_code == 303
    Api(visitor.app).create(delay_seconds=3600)
    return visitor


@pytest.mark.parametrize("path", PAGES)
def test_every_page_answers_who_is_logged_in_and_sends_others_to_the_log_in(admin: Dashboard, path: str) -> None:
    answer = admin.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    assert len({name for name, _ in answer.headers}) == len(answer.headers)  # none twice: the pages' own stand alone
    assert admin.client.head(path).status_code == 200
    stranger = admin.app.test_client().get(path)
    assert (stranger.status_code, stranger.headers["Location"].startswith("/login")) == (303, True)
    assert admin.app.test_client().post(path).status_code in {303, 401, 405}


def test_a_viewer_is_shown_no_control_beside_what_is_his(visitor: Dashboard, services: Services) -> None:
    """He made it when he was a user."""
    with services.database.connection() as conn:
        new = NewAccount(email="mei@example.com", password_hash=hash_password(PASSWORD), role=Role.VIEWER)
        viewer = create_account(conn, new)
        make_one_of_each(Api(visitor.app, access_token(Role.USER, account_id=viewer.id)))
        conn.execute("UPDATE jobs SET status = 'failed', completed_at = now(), error = '{}' WHERE id = 2")
    assert visitor.log_in(email="mei@example.com").status_code == 303
    for path in (*LOOKED_AT, "/jobs/1", "/jobs/2", "/schedules/1"):
        answer = visitor.get(path)
        assert answer.status_code == 200, path
        main = answer.text.partition("<main")[2]
        assert "mine" in main or path in {"/queues", "/workers", "/dead-letters"}, path
        assert not re.findall(r'method="post"|type="checkbox"|href="[^"]*/(?:new|edit)"', main), path
    for path in ("/jobs/new", "/jobs/1/edit", "/schedules/new", "/schedules/1/edit", "/templates/new"):
        answer = visitor.get(path)
        assert (answer.status_code, "A viewer may not change anything" in answer.text) == (403, True)
    assert ">write<" not in visitor.get("/keys").text


def make_one_of_each(api: Api) -> None:
    api.create(name="mine", delay_seconds=3600)
    api.create(name="mine", delay_seconds=3600)
    api.post("/api/schedules", {"name": "mine", "cron": "0 0 1 1 *", "task": NOOP}).ok(201)
    api.post("/api/templates", {"name": "mine", "task": NOOP}).ok(201)


@pytest.mark.parametrize(
    "wanted",
    ["//evil.example", "/\\evil.example", "//[", "/\\[", "https://evil.example", "\n/jobs", "x", "/jobs\r\nA: b"],
)
def test_the_log_in_leads_to_pages_of_ours_only(visitor: Dashboard, wanted: str) -> None:
    answer = visitor.log_in(next=wanted)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


def test_the_log_in_locks_as_the_api_does_and_says_how_long(visitor: Dashboard) -> None:
    for _ in range(5):
        assert visitor.log_in("wrong").status_code == 401
    answer = visitor.log_in()
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert visitor.get("/").status_code == 303


@pytest.mark.parametrize(
    "path",
    [
        "/jobs?search=%00",
        "/jobs?cursor=garbage",
        "/jobs?priority=x",
        "/jobs?priority=" + "9" * 5_000,
        "/jobs?status=bogus",
        "/audit?objectId=x",
        "/jobs/" + "9" * 30,
        "/schedules/new?type=<script>",
        "/?hours=-1",
    ],
)
def test_odd_addresses_get_a_page_that_says_what_is_wrong(admin: Dashboard, path: str) -> None:
    answer = admin.get(path)
    assert answer.status_code in {200, 404, 422}, answer.text
    assert "Something went wrong" not in answer.text
    assert "<script>" not in answer.text.replace("<script src", "")


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [
        ("/jobs", {"action": "bogus", "scope": "all"}, 400),
        ("/jobs", {"scope": "all"}, 400),
        ("/jobs", {"action": "duplicate"}, 303),
        ("/dead-letters", {"ids": "1"}, 400),
        ("/jobs", {"action": "cancel", "id": "9" * 5_000}, 303),
        ("/dead-letters", {"action": "retry", "ids": "9" * 5_000}, 303),
        ("/jobs/new", {"type": "api", "data.url": "https://example.com/", "data.json": "[" * 5_000}, 422),
        ("/jobs/new", {"type": "noop", "priority": "x"}, 422),
        ("/jobs/new", {"type": "noop", "name": "\0"}, 422),
        ("/jobs/1/edit", {"data": "{", "priority": "5"}, 422),
        ("/schedules/new", {"type": "noop", "name": "s", "cron": "x" * 5_000}, 422),
        ("/queues/default/limits", {"count": "3"}, 303),
    ],
)
def test_odd_forms_change_nothing_and_say_why(
    admin: Dashboard, path: str, form: Mapping[str, str], status: int
) -> None:
    assert admin.post(path, form).status_code == status
    job = Api(admin.app).get("/api/jobs/1").ok()
    assert (job["status"], job["updated_at"]) == ("pending", job["created_at"])


def test_a_form_that_is_refused_comes_back_as_it_was_filled_in(admin: Dashboard) -> None:
    form = {"type": "api", "data.url": "ftp://example.com", "data.headers": '{"A": "b"}', "data.method": "POST"}
    answer = admin.post("/jobs/new", form)
    assert answer.status_code == 422
    assert "{&#34;A&#34;: &#34;b&#34;}" in answer.text
    assert not re.search(r'name="data.follow_redirects"[^>]*checked', answer.text)
    answer = admin.post("/jobs/new", {"type": "write_file", "data.path": ""})
    assert not re.search(r'name="data.make_parents"[^>]*checked', answer.text)


def test_a_secret_that_is_hidden_is_kept_while_its_stars_are(admin: Dashboard) -> None:
    api = Api(admin.app)
    task = hiding("https://example.com/")
    job = api.create(task=task, delay_seconds=3600)["id"]
    page = admin.get(f"/jobs/{job}/edit").text
    assert "s3cret" not in page
    shown = re.search(r"<textarea name=\"data\"[^>]*>([^<]*)<", page)
    assert shown
    unchanged = shown[1].replace("&#34;", '"').replace("\n", "\r\n")
    assert admin.notice(f"/jobs/{job}/edit", {"name": "renamed", "data": unchanged}) == "The job is changed."
    assert api.get(f"/api/jobs/{job}").ok()["task"] == task
    partly = unchanged.replace("example.com", "example.org")
    assert admin.notice(f"/jobs/{job}/edit", {"data": partly}) == "The job is changed."
    assert api.get(f"/api/jobs/{job}").ok()["task"] == hiding("https://example.org/")
    elsewhere = unchanged.replace("Authorization", "X-Token")
    assert admin.post(f"/jobs/{job}/edit", {"data": elsewhere}).status_code == 422
    assert api.get(f"/api/jobs/{job}").ok()["task"] == hiding("https://example.org/")


def hiding(url: str) -> dict[str, Any]:
    return {"type": "api", "data": {"url": url, "headers": {"Authorization": "s3cret"}}}


def test_the_form_of_a_schedule_hides_secrets_and_keeps_them(admin: Dashboard) -> None:
    api = Api(admin.app)
    new = {"name": "hook", "cron": "0 0 1 1 *", "task": hiding("https://example.com/")}
    schedule = api.post("/api/schedules", new).ok(201)["id"]
    page = admin.get(f"/schedules/{schedule}/edit").text
    assert "s3cret" not in page
    shown = re.search(r'<textarea [^>]*name="data.headers"[^>]*>([^<]*)<', page)
    assert shown
    form = {"type": "api", "data.url": "https://example.com/", "data.headers": html.unescape(shown[1])}
    assert admin.notice(f"/schedules/{schedule}/edit", form) == "The schedule is changed."
    assert api.get(f"/api/schedules/{schedule}").ok()["task"] == new["task"]
    changed = form | {"data.url": "https://example.org/"}
    assert admin.notice(f"/schedules/{schedule}/edit", changed) == "The schedule is changed."
    assert api.get(f"/api/schedules/{schedule}").ok()["task"] == hiding("https://example.org/")
    elsewhere = admin.post(f"/schedules/{schedule}/edit", form | {"data.headers": '{"X-Token": "••••••"}'})
    assert elsewhere.status_code == 422
    assert "Write out what the stars stand for." in elsewhere.text
    another = {"type": "write_file", "data.path": "a", "data.content": "••••••", "name": "hook", "cron": "@daily"}
    assert admin.post(f"/schedules/{schedule}/edit", another).status_code == 422
    written = form | {"data.headers": '{"Authorization": "n3w"}'}
    assert admin.notice(f"/schedules/{schedule}/edit", written) == "The schedule is changed."
    assert api.get(f"/api/schedules/{schedule}").ok()["task"]["data"]["headers"] == {"Authorization": "n3w"}


def test_all_that_match_are_duplicated_and_not_the_first_of_them(admin: Dashboard, services: Services) -> None:
    new = NewJob(task_type="noop", task_data={}, queue="many", delay_seconds=3600)
    with services.database.connection() as conn:
        create_jobs(conn, Caller(owner_id=1), [new] * 1_500)
    assert 'data-confirm-many="1\u202f500"' in admin.get("/jobs?queue=many").text
    said = admin.notice("/jobs?queue=many", {"action": "duplicate", "scope": "all"})
    assert said == "1\u202f500 jobs duplicated."
    assert Api(admin.app).get("/api/jobs", {"queue": "many"}).ok()["pagination"]["total"] == 3_000


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("2099-01-01T10:00", "2099-01-01T10:00:00Z"),
        ("2099-01-01T10:00:30", "2099-01-01T10:00:30Z"),
        ("2099-01-01T10:00:00-05:00", "2099-01-01T15:00:00Z"),
        ("2099-01-01T10:00:00+02:00", "2099-01-01T08:00:00Z"),
    ],
)
def test_times_are_utc_unless_they_name_an_offset(admin: Dashboard, given: str, meant: str) -> None:
    answer = admin.post("/jobs/new", {"type": "noop", "scheduled_at": given})
    job = answer.headers["Location"].rpartition("/")[2]
    assert Api(admin.app).get(f"/api/jobs/{job}").ok()["scheduled_at"] == meant


def test_a_long_notice_of_any_alphabet_is_shown(admin: Dashboard) -> None:
    assert len(admin.notice("/schedules/999/pause", {})) > 10
    answer = admin.post("/queues/" + "漢" * 300 + "/pause")
    (cookie,) = [each for each in answer.headers.getlist("Set-Cookie") if "scheduler_notice" in each]
    assert len(cookie) < 4_000


def test_the_audit_reads_as_it_was_written(admin: Dashboard) -> None:
    Api(admin.app).post("/api/schedules", {"name": "Früh & spät", "cron": "0 5 * * *", "task": NOOP}).ok(201)
    assert '"name": "Früh & spät"' in html.unescape(admin.get("/audit").text)


def test_a_schedule_says_where_it_stands(admin: Dashboard) -> None:
    api = Api(admin.app)
    for name, more in (
        ("goes-on", {}),
        ("is-over", {"ends_at": "2020-01-01T00:00:00Z"}),
        ("waits", {"enabled": False}),
    ):
        api.post("/api/schedules", {"name": name, "cron": "0 5 * * *", "task": NOOP, **more}).ok(201)
    rows = re.findall(
        r">(goes-on|is-over|waits)<.*?<td>(active|ended|paused)</td>", admin.get("/schedules").text, re.DOTALL
    )
    assert dict(rows) == {"goes-on": "active", "is-over": "ended", "waits": "paused"}
    (over,) = (each for each in api.get("/api/schedules").ok()["schedules"] if each["name"] == "is-over")
    assert "ended</p>" in admin.get(f"/schedules/{over['id']}").text


def test_keys_of_several_accounts_name_whose_they_are(admin: Dashboard, services: Services) -> None:
    admin.post("/keys", {"name": "mine", "scope": "read"})
    assert ">Account<" not in admin.get("/keys").text
    with services.database.connection() as conn:
        other = create_account(conn, NewAccount(email="mei@example.com", password_hash="x", role=Role.USER))
    Api(admin.app, access_token(Role.USER, account_id=other.id)).post(
        "/api/auth/keys", {"name": "hers", "scope": "read"}
    ).ok(201)
    shown = admin.get("/keys").text
    assert ">Account<" in shown
    assert f'<td class="number">{other.id}</td>' in shown


def test_while_postgresql_is_away_a_page_says_so(services: Services, closed_port: int) -> None:
    database = Database(f"postgresql://nobody@127.0.0.1:{closed_port}/none", name="test", timeout=0.2)
    client = create_app(replace(services, database=database), dashboard).test_client()
    client.set_cookie("scheduler_dashboard", "x")
    answer = client.get("/jobs")
    database.close()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert "PostgreSQL does not answer" in answer.text
    assert "Traceback" not in answer.text
