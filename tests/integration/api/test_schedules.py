"""/api/schedules: what is kept, shown, changed and refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scheduler.store.connection import Database
from tests.integration.api.calls import NOOP, Api

DAILY: dict[str, Any] = {"name": "report", "cron": "30 2 * * *", "task": NOOP}

FULL: dict[str, Any] = {
    "name": "grüße",
    "cron": "*/30 30 7 * * MON-FRI",
    "timezone": "Australia/Lord_Howe",
    "task": {"type": "write_file", "data": {"path": "a.txt", "content": "☃"}},
    "enabled": True,
    "starts_at": "2030-01-01T00:00:00Z",
    "ends_at": "2031-01-01T00:00:00.000001Z",
    "misfire": "run_all",
    "overlap": "skip",
    "jitter_seconds": 2.5,
    "queue": "mails-2",
    "priority": 1,
    "max_attempts": 7,
    "timeout_seconds": 12.5,
    "retry": {"backoff": "linear", "delay_seconds": 1.5, "max_delay_seconds": 60.0, "jitter": False},
    "concurrency_key": "c",
}


def created(api: Api, **fields: Any) -> Any:
    return api.post("/api/schedules", {**DAILY, **fields}).ok(201)


def change(api: Api, schedule: Any, **fields: Any) -> Any:
    return api.patch(f"/api/schedules/{schedule['id']}", fields).ok()


def test_a_schedule_with_the_defaults(api: Api) -> None:
    answer = api.post("/api/schedules", DAILY)
    schedule = answer.ok(201)
    assert answer.headers["Location"] == f"/api/schedules/{schedule['id']}"
    assert (schedule["timezone"], schedule["enabled"], schedule["misfire"], schedule["overlap"]) == (
        "UTC",
        True,
        "run_once",
        "allow",
    )
    assert (schedule["queue"], schedule["priority"], schedule["max_attempts"]) == ("default", 5, 3)
    assert schedule["description"] == "At 02:30"
    next_run = datetime.fromisoformat(schedule["next_run_at"])
    created_at = datetime.fromisoformat(schedule["created_at"])
    assert (next_run.hour, next_run.minute) == (2, 30)
    assert timedelta() < next_run - created_at <= timedelta(days=1)
    assert api.get(answer.headers["Location"]).ok() == schedule


def test_everything_that_is_sent_comes_back(api: Api) -> None:
    schedule = created(api, **FULL)
    assert {field: schedule[field] for field in FULL} == FULL
    assert schedule["next_run_at"] == "2030-01-01T20:30:00Z"  # 2 January, a Wednesday, 07:30 at +11:00


def test_an_unknown_schedule_is_not_found(api: Api) -> None:
    path = "/api/schedules/1"
    assert api.get(path).problem(404)["detail"] == "There is no schedule 1."
    api.get(f"{path}/next").problem(404)
    api.patch(path, {"name": "x"}).problem(404)
    api.send("DELETE", path).problem(404)
    for action in ("pause", "resume", "trigger"):
        api.post(f"{path}/{action}").problem(404)


def test_they_are_listed_by_page_and_cursor(api: Api) -> None:
    ids = [created(api, name=f"s{n}")["id"] for n in range(5)][::-1]
    first = api.get("/api/schedules", {"limit": 2}).ok()
    assert [each["id"] for each in first["schedules"]] == ids[:2]
    assert first["pagination"]["total"] == 5
    rest = api.get("/api/schedules", {"cursor": first["pagination"]["next_cursor"], "limit": 5}).ok()
    assert [each["id"] for each in rest["schedules"]] == ids[2:]


BAD: list[tuple[dict[str, Any], list[str | int]]] = [
    ({"name": ""}, ["name"]),
    ({"name": None}, ["name"]),
    ({"name": "x" * 201}, ["name"]),
    ({"cron": None}, ["cron"]),
    ({"cron": 5}, ["cron"]),
    ({"cron": ""}, ["cron"]),
    ({"cron": "* * * *"}, ["cron"]),
    ({"cron": "61 * * * *"}, ["cron"]),
    ({"cron": "0-999999999999 * * * * *"}, ["cron"]),
    ({"cron": "0 0 31 2 *"}, ["cron"]),
    ({"cron": "0 0 * * MON#6"}, ["cron"]),
    ({"cron": "@every 0s"}, ["cron"]),
    ({"cron": "@reboot"}, ["cron"]),
    ({"cron": "H H * * *"}, ["cron"]),
    ({"cron": " " * 15_000}, ["cron"]),
    ({"cron": "*" * 15_000}, ["cron"]),
    ({"timezone": "Mars/Olympus"}, ["timezone"]),
    ({"timezone": "../../etc/passwd"}, ["timezone"]),
    ({"timezone": "x" * 5_000}, ["timezone"]),
    ({"timezone": "+02:00"}, ["timezone"]),
    ({"task": None}, ["task"]),
    ({"task": {"type": "nope", "data": {}}}, ["task", "type"]),
    ({"task": {"type": "noop", "data": {"typo": 1}}}, ["task", "data", "typo"]),
    ({"enabled": "yes"}, ["enabled"]),
    ({"starts_at": "2026-02-19T10:00:00"}, ["starts_at"]),
    ({"starts_at": "2026-02-19T10:00:00Z", "ends_at": "2026-02-19T09:59:59Z"}, ["ends_at"]),
    ({"misfire": "sometimes"}, ["misfire"]),
    ({"overlap": "run_once"}, ["overlap"]),
    ({"jitter_seconds": -1}, ["jitter_seconds"]),
    ({"jitter_seconds": 86_401}, ["jitter_seconds"]),
    ({"priority": 10}, ["priority"]),
    ({"queue": "Mails"}, ["queue"]),
    ({"retry": {"jitter": "yes"}}, ["retry", "jitter"]),
    ({"scheduled_at": "2026-02-19T10:00:00Z"}, ["scheduled_at"]),
    ({"unique_key": "x"}, ["unique_key"]),
    ({"typo": 1}, ["typo"]),
]


@pytest.mark.parametrize(("fields", "loc"), BAD, ids=lambda value: str(value)[:60])
def test_bad_input_is_refused_by_field(storeless: Api, fields: dict[str, Any], loc: list[str | int]) -> None:
    assert storeless.post("/api/schedules", {**DAILY, **fields}).locations() == [loc]


@pytest.mark.parametrize(("fields", "loc"), BAD, ids=lambda value: str(value)[:60])
def test_a_bad_change_is_refused_by_field(api: Api, fields: dict[str, Any], loc: list[str | int]) -> None:
    schedule = created(api)
    assert api.patch(f"/api/schedules/{schedule['id']}", fields).locations() == [loc]
    assert api.get(f"/api/schedules/{schedule['id']}").ok() == schedule


def test_what_is_wrong_is_said(storeless: Api) -> None:
    problem = storeless.post("/api/schedules", {**DAILY, "cron": "* 25 * * *"}).problem(422)
    assert problem["errors"] == [{"loc": ["cron"], "msg": "25 is no hour.", "type": "cron_invalid"}]


# ── changes ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_change_leaves_the_rest_alone(api: Api) -> None:
    schedule = created(api, **FULL)
    changed = change(api, schedule, cron="0 8 * * *", retry={"delay_seconds": 9})
    assert changed["retry"] == {**FULL["retry"], "delay_seconds": 9.0}
    assert changed["cron"] == "0 8 * * *"
    assert changed["updated_at"] > schedule["updated_at"]
    fixed = set(FULL) - {"cron", "retry"} | {"id", "created_at", "owner_id"}
    assert {name: changed[name] for name in fixed} == {name: schedule[name] for name in fixed}


def test_null_clears_an_option(api: Api) -> None:
    schedule = created(api, **FULL)
    options = set(FULL) - {"name", "cron", "task", "enabled"}
    cleared = change(api, schedule, **dict.fromkeys(options))
    plain = created(api)
    assert {name: cleared[name] for name in options} == {name: plain[name] for name in options}


def test_a_change_that_changes_nothing(api: Api) -> None:
    schedule = created(api)
    assert change(api, schedule) == schedule
    assert change(api, schedule, cron=" 30  2 * * *") == schedule
    assert api.post(f"/api/schedules/{schedule['id']}/resume").ok() == schedule


def test_a_bound_is_held_against_the_one_that_is_kept(api: Api) -> None:
    schedule = created(api, starts_at="2030-01-01T00:00:00Z")
    path = f"/api/schedules/{schedule['id']}"
    assert api.patch(path, {"ends_at": "2029-01-01T00:00:00Z"}).locations() == [["ends_at"]]
    assert change(api, schedule, ends_at="2029-01-01T00:00:00Z", starts_at=None)["starts_at"] is None


def test_a_paused_schedule_has_no_next_run(api: Api) -> None:
    schedule = created(api)
    path = f"/api/schedules/{schedule['id']}"
    paused = api.post(f"{path}/pause").ok()
    assert (paused["enabled"], paused["next_run_at"]) == (False, None)
    assert api.get(f"{path}/next").ok()["next"] == []
    resumed = api.post(f"{path}/resume").ok()
    assert (resumed["enabled"], resumed["next_run_at"]) == (True, schedule["next_run_at"])


def test_one_that_is_created_paused(api: Api) -> None:
    assert created(api, enabled=False)["next_run_at"] is None


def test_one_that_is_over(api: Api) -> None:
    schedule = created(api, ends_at="2020-01-01T00:00:00Z")
    assert schedule["next_run_at"] is None
    assert api.get(f"/api/schedules/{schedule['id']}/next").ok()["next"] == []


def test_a_removed_schedule_is_gone(api: Api) -> None:
    path = f"/api/schedules/{created(api)['id']}"
    answer = api.send("DELETE", path)
    assert (answer.status, answer.text) == (204, "")
    api.get(path).problem(404)


def test_a_trigger_makes_a_job_at_once(api: Api) -> None:
    schedule = created(api, **{**FULL, "enabled": False})
    answer = api.post(f"/api/schedules/{schedule['id']}/trigger")
    job = answer.ok(201)
    assert answer.headers["Location"] == f"/api/jobs/{job['id']}"
    assert job["schedule_id"] == schedule["id"]
    assert job["scheduled_at"] == job["next_run_at"] == job["created_at"]
    copied = ("name", "task", "queue", "priority", "max_attempts", "timeout_seconds", "retry", "concurrency_key")
    assert {name: job[name] for name in copied} == {name: schedule[name] for name in copied}
    assert [each["id"] for each in api.get("/api/jobs", {"scheduleId": schedule["id"]}).ok()["jobs"]] == [job["id"]]


# ── times to come ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_preview_needs_no_store(storeless: Api) -> None:
    shown = storeless.post("/api/schedules/preview", {"cron": "30 2 * * *", "timezone": "Asia/Kathmandu"}).ok()
    assert (shown["description"], shown["timezone"]) == ("At 02:30", "Asia/Kathmandu")
    times = [datetime.fromisoformat(at) for at in shown["next"]]
    local = [datetime.fromisoformat(at) for at in shown["next_local"]]
    assert len(times) == 5
    assert times == local
    assert all(at.endswith("T20:45:00Z") for at in shown["next"])
    assert all(at.endswith("T02:30:00+05:45") for at in shown["next_local"])
    assert times[0] - datetime.now(UTC) <= timedelta(days=1)


@pytest.mark.parametrize("count", [1, 100])
def test_as_many_as_are_asked_for(api: Api, count: int) -> None:
    shown = api.post("/api/schedules/preview", {"cron": "@hourly", "count": count}).ok()
    assert len(shown["next"]) == count
    schedule = created(api, cron="@hourly")
    saved = api.get(f"/api/schedules/{schedule['id']}/next", {"count": count}).ok()
    assert saved["next"][0] == schedule["next_run_at"]
    assert len(saved["next"]) == count


def test_what_hardly_ever_comes_is_shown_as_far_as_there_are_years(storeless: Api) -> None:
    shown = storeless.post("/api/schedules/preview", {"cron": "0 0 * 2 MON#5", "count": 100}).ok()
    assert shown["next"][0] == "2044-02-29T00:00:00Z"
    assert len(shown["next"]) < 12


@pytest.mark.parametrize(
    ("fields", "loc"),
    [
        ({"count": 0}, ["count"]),
        ({"count": 101}, ["count"]),
        ({"count": "5"}, ["count"]),
        ({"cron": "nonsense"}, ["cron"]),
        ({"timezone": "nonsense"}, ["timezone"]),
        ({"misfire": "skip"}, ["misfire"]),
    ],
)
def test_a_bad_preview(storeless: Api, fields: dict[str, Any], loc: list[str]) -> None:
    assert storeless.post("/api/schedules/preview", {"cron": "@daily", **fields}).locations() == [loc]


def test_nothing_is_written_for_what_is_refused(api: Api, db: Database) -> None:
    api.post("/api/schedules", {**DAILY, "cron": "0 0 30 2 *"}).problem(422)
    with db.connection() as conn:
        assert conn.execute("SELECT count(*) FROM schedules").fetchone() == (0,)
