"""Logging in, staying in, and being shown out."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final

import pytest
from structlog.testing import capture_logs

from scheduler.api import identity
from scheduler.api.app import Services, create_app
from scheduler.api.tokens import Tokens
from scheduler.domain.account import NewAccount, Role
from scheduler.domain.password import hash_password
from scheduler.store.accounts import create_account
from scheduler.store.connection import Database
from scheduler.store.login_failures import FEW, MANY
from tests.credentials import SECRET, access_token
from tests.integration.api.calls import NOOP, Answer, Api

PASSWORD: Final = "a long pass phrase"
ANOTHER: Final = "another long pass phrase"


@pytest.fixture
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the limit on log-ins from one address, which other limits would never be seen behind."""
    monkeypatch.setattr("scheduler.api.limits.LOG_INS", "1000/second")


@pytest.fixture
def anyone(unlimited: None, services: Services, monkeypatch: pytest.MonkeyPatch) -> Api:
    """A client without credentials, of an API that hears of what is revoked at once."""
    monkeypatch.setattr(identity, "LAG_SECONDS", 0.0)
    return Api(create_app(services), "")


@pytest.fixture
def ada(db: Database) -> int:
    return register(db, "ada@example.com")


def register(db: Database, email: str, role: Role = Role.USER) -> int:
    with db.connection() as conn:
        new = NewAccount(email=email, password_hash=hash_password(PASSWORD), role=role)
        return create_account(conn, new).id


def log_in(api: Api, email: str = "ada@example.com", password: str = PASSWORD, address: str = "192.0.2.1") -> Answer:
    return _post(api, "/api/auth/login", {"email": email, "password": password}, address)


def refresh(api: Api, token: str) -> Answer:
    return _post(api, "/api/auth/refresh", {"refresh_token": token})


def _post(api: Api, path: str, body: Mapping[str, str], address: str = "192.0.2.1") -> Answer:
    return api.send("POST", path, json=body, environ_overrides={"REMOTE_ADDR": address})


def me(api: Api, pair: Any) -> Answer:
    return api.as_(pair["access_token"]).get("/api/auth/me")


def later(db: Database, statement: str) -> None:
    with db.connection() as conn:
        conn.execute(statement.encode())


# ── in ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_log_in_opens_what_its_account_may(anyone: Api, ada: int) -> None:
    pair = log_in(anyone, "Ada@Example.com").ok()
    assert pair["token_type"] == "Bearer"
    assert pair["expires_in"] > 0
    assert pair["user"] == me(anyone, pair).ok()
    assert (pair["user"]["id"], pair["user"]["role"]) == (ada, "user")
    assert anyone.as_(pair["access_token"]).create()["owner_id"] == ada


def test_a_wrong_password_and_an_unknown_address_are_answered_alike(anyone: Api, ada: int) -> None:
    wrong, unknown = log_in(anyone, password=ANOTHER), log_in(anyone, "nobody@example.com")
    assert wrong.problem(401) == unknown.problem(401)


def test_an_account_that_is_shut_out_does_not_get_in(anyone: Api, ada: int, db: Database) -> None:
    later(db, "UPDATE accounts SET active = false")
    log_in(anyone).problem(401)


def test_guessing_is_stopped_where_it_comes_from_and_nowhere_else(anyone: Api, ada: int) -> None:
    for _ in range(FEW):
        log_in(anyone, password=ANOTHER).problem(401)
    answer = log_in(anyone)
    answer.problem(429)
    assert int(answer.headers["Retry-After"]) > 0
    log_in(anyone, address="192.0.2.2").ok()


def test_guessing_from_everywhere_does_not_shut_out_who_has_been_here(anyone: Api, ada: int, db: Database) -> None:
    log_in(anyone, address="192.0.2.7").ok()
    later(
        db,
        "INSERT INTO login_failures (email, address)"
        f" SELECT 'ada@example.com', '198.51.100.' || n FROM generate_series(1, {MANY}) AS n",
    )
    log_in(anyone, address="203.0.113.1").problem(429)
    log_in(anyone, address="192.0.2.7").ok()


def test_a_success_forgives(anyone: Api, ada: int) -> None:
    for _ in range(2):
        for _ in range(FEW - 1):
            log_in(anyone, password=ANOTHER).problem(401)
        log_in(anyone).ok()


def test_only_so_many_passwords_are_hashed_at_once_and_others_fail_no_attempt(anyone: Api, ada: int) -> None:
    with ThreadPoolExecutor(20) as threads:
        statuses = [each.status for each in threads.map(log_in, [anyone] * 20)]
    assert set(statuses) <= {200, 429}
    assert 200 in statuses
    log_in(anyone).ok()


def test_a_password_is_neither_logged_nor_in_the_audit(anyone: Api, ada: int, db: Database) -> None:
    with capture_logs() as lines:
        pair = log_in(anyone).ok()
        log_in(anyone, password=ANOTHER).problem(401)
        refresh(anyone, pair["refresh_token"]).ok()
    with db.connection() as conn:
        told = str(lines) + str(conn.execute("SELECT * FROM audit_entries").fetchall())
    for secret in (PASSWORD, ANOTHER, pair["refresh_token"], pair["access_token"]):
        assert secret not in told


# ── staying ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_refresh_token_works_once(anyone: Api, ada: int, db: Database) -> None:
    first = log_in(anyone).ok()
    second = refresh(anyone, first["refresh_token"]).ok()
    assert second["refresh_token"] != first["refresh_token"]
    me(anyone, second).ok()
    later(db, "UPDATE refresh_tokens SET spent_at = spent_at - interval '11 seconds'")
    refresh(anyone, first["refresh_token"]).problem(401)
    refresh(anyone, second["refresh_token"]).problem(401)  # a thief had one of the two
    me(anyone, second).problem(401)


def test_two_tabs_get_the_same_pair(anyone: Api, ada: int) -> None:
    token = log_in(anyone).ok()["refresh_token"]
    with ThreadPoolExecutor(8) as threads:
        answers = [each.ok() for each in threads.map(refresh, [anyone] * 8, [token] * 8)]
    assert {answer["refresh_token"] for answer in answers} == {answers[0]["refresh_token"]}
    assert {answer["access_token"] for answer in answers} == {answers[0]["access_token"]}
    refresh(anyone, answers[0]["refresh_token"]).ok()


@pytest.mark.parametrize("token", ["x", "sch_nothing", "é", "%00"])
def test_what_is_no_refresh_token_is_refused(anyone: Api, token: str) -> None:
    refresh(anyone, token).problem(401)
    _post(anyone, "/api/auth/logout", {"refresh_token": token}).problem(401)


def test_a_session_ends_after_its_time(anyone: Api, ada: int, db: Database) -> None:
    token = log_in(anyone).ok()["refresh_token"]
    later(db, "UPDATE sessions SET expires_at = now()")
    refresh(anyone, token).problem(401)


def test_the_signing_secret_is_changed_with_an_overlap(services: Services, db: Database, ada: int) -> None:
    new = "a-new-secret-for-tests-of-more-than-32-bytes"
    old_token = log_in(Api(create_app(services), "")).ok()
    both = Api(create_app(replace(services, tokens=Tokens([new, SECRET]))), "")
    me(both, old_token).ok()
    new_token = log_in(both).ok()
    only = Api(create_app(replace(services, tokens=Tokens([new]))), "")
    me(only, new_token).ok()
    me(only, old_token).problem(401)


# ── out ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def by_log_out(api: Api, pair: Any, admin: Api, account: int) -> None:
    _post(api, "/api/auth/logout", {"refresh_token": pair["refresh_token"]}).ok(204)


def by_new_password(api: Api, pair: Any, admin: Api, account: int) -> None:
    body = {"current_password": PASSWORD, "new_password": ANOTHER}
    api.as_(pair["access_token"]).post("/api/auth/password", body).ok(204)
    log_in(api).problem(401)
    log_in(api, password=ANOTHER).ok()


def by_being_shut_out(api: Api, pair: Any, admin: Api, account: int) -> None:
    admin.patch(f"/api/users/{account}", {"active": False}).ok()


def by_another_role(api: Api, pair: Any, admin: Api, account: int) -> None:
    admin.patch(f"/api/users/{account}", {"role": "viewer"}).ok()


def by_removal(api: Api, pair: Any, admin: Api, account: int) -> None:
    admin.delete(f"/api/users/{account}").ok(204)


@pytest.mark.parametrize("leave", [by_log_out, by_new_password, by_being_shut_out, by_another_role, by_removal])
def test_all_tokens_of_a_log_in_end_with_it(anyone: Api, ada: int, leave: Callable[[Api, Any, Api, int], None]) -> None:
    pair = log_in(anyone).ok()
    me(anyone, pair).ok()
    leave(anyone, pair, anyone.as_(access_token()), ada)
    me(anyone, pair).problem(401)
    refresh(anyone, pair["refresh_token"]).problem(401)


def test_a_new_password_takes_the_old_one(anyone: Api, ada: int) -> None:
    caller = anyone.as_(log_in(anyone).ok()["access_token"])
    wrong = {"current_password": ANOTHER, "new_password": ANOTHER}
    assert caller.post("/api/auth/password", wrong).locations() == [["current_password"]]
    weak = {"current_password": PASSWORD, "new_password": "password1234"}
    assert caller.post("/api/auth/password", weak).locations() == [["new_password"]]
    log_in(anyone).ok()


# ── limits ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("redis", ["there", "away"])
def test_log_ins_from_one_address_are_limited(
    services: Services, closed_port: int, monkeypatch: pytest.MonkeyPatch, redis: str
) -> None:
    monkeypatch.setattr("scheduler.api.limits.LOG_INS", "3/hour")
    url = services.redis_url if redis == "there" else f"redis://127.0.0.1:{closed_port}/0"
    api = Api(create_app(replace(services, redis_url=url)), "")
    for _ in range(3):
        answer = refresh(api, "x")
        answer.problem(401)
        assert "Retry-After" not in answer.headers
    answer = refresh(api, "x")
    assert "3/hour" in answer.problem(429)["detail"]
    assert int(answer.headers["Retry-After"]) > 10
    _post(api, "/api/auth/refresh", {"refresh_token": "x"}, "192.0.2.2").problem(401)
    api.get("/healthz").ok()


def test_an_account_is_limited_whatever_its_address(services: Services) -> None:
    api = Api(create_app(replace(services, rate_limit="2/hour")))
    for path in ("/api/jobs", "/api/stats"):
        answer = api.get(path)
        answer.ok()
        assert "Retry-After" not in answer.headers
    answer = api.get("/api/jobs")
    assert "2/hour" in answer.problem(429)["detail"]
    assert int(answer.headers["Retry-After"]) > 10
    api.as_(access_token(account_id=2)).get("/api/jobs").ok()


# ── accounts ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_registration_is_closed_unless_it_is_opened(services: Services, unlimited: None) -> None:
    body = {"email": "Bob@example.com", "password": PASSWORD, "first_name": "Bob", "last_name": "B"}
    Api(create_app(services), "").post("/api/auth/register", body).problem(403)
    api = Api(create_app(replace(services, allow_registration=True)), "")
    assert api.post("/api/auth/register", body).ok(201)["role"] == "user"
    api.post("/api/auth/register", body).problem(409)
    log_in(api, "bob@example.com").ok()


@pytest.mark.parametrize(
    ("fields", "loc"),
    [
        ({"password": "short"}, ["password"]),
        ({"password": "Password1234!"}, ["password"]),
        ({"password": "aaaaaaaaaaaaaaaa"}, ["password"]),
        ({"password": "bob@example.com"}, ["password"]),
        ({"email": "bob"}, ["email"]),
        ({"email": "b ob@example.com"}, ["email"]),
        ({"role": "root"}, ["role"]),
    ],
)
def test_bad_input_is_refused_by_field(storeless: Api, fields: Mapping[str, str], loc: list[str | int]) -> None:
    body = {"email": "bob@example.com", "password": PASSWORD, **fields}
    assert storeless.post("/api/users", body).locations() == [loc]


def test_the_last_admin_stays(anyone: Api, db: Database) -> None:
    admin = anyone.as_(access_token())
    account = register(db, "admin@example.com", Role.ADMIN)
    admin.patch(f"/api/users/{account}", {"role": "user"}).problem(409)
    admin.patch(f"/api/users/{account}", {"active": False}).problem(409)
    admin.delete(f"/api/users/{account}").problem(409)
    admin.patch(f"/api/users/{account}", {"role": "admin", "active": True, "password": ANOTHER}).ok()
    register(db, "second@example.com", Role.ADMIN)
    admin.delete(f"/api/users/{account}").ok(204)


def test_two_admins_cannot_demote_each_other_at_once(anyone: Api, db: Database) -> None:
    accounts = [register(db, f"admin{n}@example.com", Role.ADMIN) for n in range(2)]
    admin = anyone.as_(access_token())
    with ThreadPoolExecutor(2) as threads:
        calls = [threads.submit(admin.patch, f"/api/users/{each}", {"role": "user"}) for each in accounts]
        assert sorted(call.result().status for call in calls) == [200, 409]


def test_users_are_created_once(anyone: Api, db: Database) -> None:
    admin = anyone.as_(access_token())
    body = {"email": "bob@example.com", "password": PASSWORD}
    first = admin.post("/api/users", body, {"Idempotency-Key": "k"})
    assert admin.post("/api/users", body, {"Idempotency-Key": "k"}).ok(201) == first.ok(201)
    admin.post("/api/users", body).problem(409)
    assert admin.get("/api/users").ok()["pagination"]["total"] == 1
    assert "password" not in first.text


# ── the audit ────────────────────────────────────────────────────────────────────────────────────────────────────────


def entries(api: Api, **query: Any) -> list[Any]:
    return api.as_(access_token()).get("/api/audit", query).ok()["entries"]


def test_what_is_done_leaves_an_entry(anyone: Api, ada: int) -> None:
    caller = anyone.as_(log_in(anyone).ok()["access_token"])
    job = caller.create(delay_seconds=3600)["id"]
    caller.send("POST", f"/api/cancel/{job}", headers={"X-Request-ID": "this-one"}).ok()
    (entry,) = entries(anyone, objectType="job", objectId=job)
    told = {name: entry[name] for name in ("account_id", "actor", "action", "object_id", "request_id")}
    assert told == {
        "account_id": ada,
        "actor": "ada@example.com",
        "action": "cancel",
        "object_id": job,
        "request_id": "this-one",
    }
    assert entry["address"] == "127.0.0.1"


def test_a_change_of_role_tells_before_and_after(anyone: Api, ada: int) -> None:
    anyone.as_(access_token()).patch(f"/api/users/{ada}", {"role": "viewer"}).ok()
    (entry,) = entries(anyone, action="change_user")
    assert (entry["before"], entry["after"]) == (
        {"role": "user", "active": True},
        {"role": "viewer", "active": True},
    )


def change_of(api: Api, action: str) -> tuple[Any, Any]:
    """What the last such entry tells of before and after."""
    entry = entries(api, action=action)[0]
    return entry["before"], entry["after"]


def test_a_change_of_a_job_tells_before_and_after(anyone: Api) -> None:
    admin = anyone.as_(access_token())
    job = admin.create(delay_seconds=3600, name="old")["id"]
    admin.patch(f"/api/jobs/{job}", {"name": "new", "priority": 1, "task": NOOP}).ok()
    assert change_of(anyone, "change") == (
        {"name": "old", "priority": 5},
        {"name": "new", "priority": 1, "task": {"type": "noop"}},
    )
    admin.post(f"/api/cancel/{job}").ok()
    assert change_of(anyone, "cancel") == ({"status": "pending"}, {"status": "cancelled"})
    admin.post(f"/api/retry/{job}").ok()
    before, after = change_of(anyone, "retry")
    assert (before.pop("status"), after.pop("status")) == ("cancelled", "pending")
    assert set(before) == set(after) == {"next_run_at"}
    assert admin.delete(f"/api/jobs/{job}").status == 204
    before, after = change_of(anyone, "delete")
    assert (before["name"], before["status"], after) == ("new", "pending", None)


def test_changes_of_schedules_templates_and_keys_tell_before_and_after(anyone: Api, db: Database) -> None:
    admin = anyone.as_(access_token(account_id=register(db, "admin2@example.com", role=Role.ADMIN)))
    task = {"type": "api", "data": {"url": "https://example.com/", "headers": {"X-Key": "s3cret"}}}
    schedule = admin.post("/api/schedules", {"name": "s", "cron": "@daily", "task": task}).ok(201)["id"]
    admin.patch(f"/api/schedules/{schedule}", {"cron": "@hourly"}).ok()
    assert change_of(anyone, "edit_schedule") == ({"cron": "@daily"}, {"cron": "@hourly"})
    admin.post(f"/api/schedules/{schedule}/pause").ok()
    assert change_of(anyone, "pause_schedule") == ({"enabled": True}, {"enabled": False})
    admin.post(f"/api/schedules/{schedule}/pause").ok()
    assert change_of(anyone, "pause_schedule") == (None, None)
    template = admin.post("/api/templates", {"name": "t", "task": task}).ok(201)["id"]
    key = admin.post("/api/auth/keys", {"name": "k", "scope": "read"}).ok(201)
    for path, action, kept in (
        (f"/api/schedules/{schedule}", "remove_schedule", {"name": "s", "cron": "@hourly", "task_type": "api"}),
        (f"/api/templates/{template}", "remove_template", {"name": "t", "task_type": "api"}),
        (f"/api/auth/keys/{key['id']}", "remove_api_key", {"name": "k", "prefix": key["prefix"], "scope": "read"}),
    ):
        assert admin.delete(path).status == 204
        before, after = change_of(anyone, action)
        assert before.items() >= kept.items()
        assert after is None
    assert "s3cret" not in str(entries(anyone))
    assert key["key"] not in str(entries(anyone))


def test_of_somebody_elses_things_the_audit_tells_nothing(anyone: Api, ada: int, db: Database) -> None:
    job = anyone.as_(access_token(account_id=register(db, "bob@example.com"))).create(delay_seconds=3600)["id"]
    anyone.as_(log_in(anyone).ok()["access_token"]).post(f"/api/cancel/{job}").problem(404)
    assert entries(anyone, objectType="job") == []


def test_refused_log_ins_and_reused_tokens_are_on_record(anyone: Api, ada: int, db: Database) -> None:
    token = log_in(anyone).ok()["refresh_token"]
    log_in(anyone, "nobody@example.com").problem(401)
    refresh(anyone, token).ok()
    later(db, "UPDATE refresh_tokens SET spent_at = spent_at - interval '11 seconds'")
    refresh(anyone, token).problem(401)
    told = [(each["action"], each["actor"], each["address"]) for each in entries(anyone)]
    assert told == [
        ("refresh_token_reused", "ada@example.com", "192.0.2.1"),
        ("log_in_refused", "nobody@example.com", "192.0.2.1"),
        ("log_in", "ada@example.com", "192.0.2.1"),
    ]


def test_what_fails_leaves_none(anyone: Api, ada: int) -> None:
    admin = anyone.as_(access_token())
    admin.post("/api/cancel/999").problem(404)
    admin.post("/api/templates", {"name": "", "task": {}}).problem(422)
    assert entries(anyone) == []


def test_a_tasks_data_and_secrets_stay_out(anyone: Api, db: Database) -> None:
    admin = anyone.as_(access_token())
    task = {"type": "api", "data": {"url": "https://example.com/", "headers": {"X-Key": "s3cret"}}}
    admin.post("/api/templates", {"name": "t", "task": task}).ok(201)
    admin.post("/api/users", {"email": "bob@example.com", "password": PASSWORD}).ok(201)
    key = admin.as_(access_token(account_id=register(db, "k@example.com"))).post(
        "/api/auth/keys", {"name": "k", "scope": "read"}
    )
    told = str(entries(anyone))
    assert "create_user" in told
    for secret in ("s3cret", PASSWORD, key.ok(201)["key"]):
        assert secret not in told


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_entries SET actor = 'x'", "DELETE FROM audit_entries", "TRUNCATE audit_entries"]
)
def test_nothing_changes_the_audit(db: Database, statement: str) -> None:
    with db.connection() as conn, pytest.raises(Exception, match="append-only"):
        conn.execute(statement.encode())
