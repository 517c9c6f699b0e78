"""What people do on the pages: each thing once, in a browser, and what has become of it."""

from typing import Any

from playwright.sync_api import Locator

from tests.acceptance.cluster import Cluster
from tests.browser.conftest import Visit
from tests.eventually import eventually


def listed(site: Cluster, kind: str, name: str) -> dict[str, Any]:
    """The one of that name, as the API has it."""
    return next(each for each in site.call("GET", f"/api/{kind}?limit=200").body[kind] if each["name"] == name)


def test_a_job_is_created_by_a_form_that_follows_its_type(visit: Visit, site: Cluster) -> None:
    visitor = visit()
    visitor.go("/jobs/new")
    visitor.page.get_by_label("Task type").select_option("write_file")
    visitor.page.locator("[name='data.content']").fill("from the dashboard")
    visitor.page.locator("[name='data.path']").fill("dashboard.txt")
    visitor.page.get_by_label("Name", exact=True).fill("by form")
    visitor.press("Create the job")
    assert "is created" in visitor.notice
    job = listed(site, "jobs", "by form")
    assert job["task"] == {"type": "write_file", "data": {"path": "dashboard.txt", "content": "from the dashboard"}}
    site.reach(job["id"], "completed")


def test_what_is_wrong_with_a_job_is_said_and_what_was_filled_in_stays(visit: Visit) -> None:
    visitor = visit()
    visitor.go("/jobs/new?type=api")
    visitor.page.locator("[name='data.url']").fill("ftp://example.com/")
    visitor.press("Create the job")
    assert "url" in visitor.notice
    assert visitor.page.locator("[name='data.url']").input_value() == "ftp://example.com/"


def test_the_life_of_a_job_by_its_buttons(visit: Visit, site: Cluster) -> None:
    visitor = visit()
    job = site.post_job("noop", name="buttons", delay_seconds=9e4)
    visitor.go(f"/jobs/{job}")
    visitor.press("Cancel")
    assert site.job(job).status == "cancelled"
    visitor.press("Retry")
    site.reach(job, "completed")
    visitor.go(f"/jobs/{job}")
    visitor.press("Duplicate")
    copy = int(visitor.where.rpartition("/")[2])
    assert site.job(copy).duplicated_from == job
    site.reach(copy, "completed")
    visitor.go(f"/jobs/{copy}")
    visitor.press("Delete")
    assert f"Job {copy} is removed." in visitor.notice


def test_a_pending_job_is_changed_and_run_now(visit: Visit, site: Cluster) -> None:
    visitor = visit()
    job = site.post_job("hostile_return", {"text": "old"}, delay_seconds=9e4)
    visitor.go(f"/jobs/{job}")
    visitor.page.get_by_role("button", name="Edit").click()
    visitor.page.get_by_label("Name").fill("changed")
    visitor.page.get_by_label("Priority (1 first)").fill("2")
    visitor.page.get_by_label("Data of the task").fill('{"text": "new"}')
    visitor.press("Change")
    assert "changed" in visitor.notice
    changed = site.job(job)
    assert (changed.name, changed.priority, changed.task_data) == ("changed", 2, {"text": "new"})
    visitor.press("Run now")
    site.reach(job, "completed")
    visitor.go(f"/jobs/{job}/edit")
    visitor.press("Change")
    assert "completed" in visitor.notice


def test_all_that_match_are_cancelled_and_some_are_retried(visit: Visit, site: Cluster) -> None:
    visitor = visit()
    jobs = [site.post_job("noop", name=f"many {n}", queue="many", delay_seconds=9e4) for n in range(60)]
    visitor.go("/jobs?queue=many")
    visitor.page.get_by_label("all 60 that match").check()
    visitor.press("Cancel")
    assert "60 jobs cancelled." in visitor.notice
    assert {site.job(each).status.value for each in jobs} == {"cancelled"}
    assert visitor.where == "/jobs?queue=many"
    visitor.page.get_by_label(f"Choose job {jobs[-1]}").check()
    visitor.page.get_by_label(f"Choose job {jobs[-2]}").check()
    assert "the 2 chosen" in visitor.text
    visitor.press("Retry")
    assert "2 jobs retried." in visitor.notice
    visitor.page.get_by_role("link", name="Next page").click()
    assert f"many {0}" in visitor.text
    visitor.go("/jobs?queue=many&search=many+7")
    visitor.page.get_by_label("all 1 that match").check()
    visitor.press("Duplicate")
    assert "1 job duplicated." in visitor.notice
    visitor.go("/jobs?queue=many")
    visitor.press("Retry")
    assert "Tick a job first." in visitor.notice


def test_the_keyboard_is_enough(visit: Visit, site: Cluster) -> None:
    site.post_job("noop", name="by key", queue="keys", delay_seconds=9e4)
    visitor = visit()
    visitor.go("/jobs?queue=keys")
    visitor.page.keyboard.press("j")
    visitor.page.keyboard.press("x")
    assert "the 1 chosen" in visitor.text
    visitor.page.keyboard.press("/")
    visitor.page.keyboard.type("by key")
    visitor.page.keyboard.press("Enter")
    visitor.page.wait_for_url("**search=by+key**")
    visitor.page.keyboard.press("j")
    visitor.page.keyboard.press("Enter")
    visitor.page.wait_for_url("**/jobs/*")


def test_the_csv_holds_what_the_filter_shows(visit: Visit, site: Cluster) -> None:
    site.post_job("noop", name="in the file", queue="csv", delay_seconds=9e4)
    visitor = visit()
    visitor.go("/jobs?queue=csv")
    with visitor.page.expect_download() as waiting:
        visitor.page.get_by_role("link", name="Download CSV").click()
    text = waiting.value.path().read_text()
    assert "in the file" in text
    assert len(text.splitlines()) == 2


def test_a_schedule_is_previewed_created_changed_paused_and_triggered(visit: Visit, site: Cluster) -> None:
    visitor = visit()
    visitor.go("/schedules/new")
    when = visitor.page.get_by_label("When (cron, or @every 90s)")
    when.fill("30 2 * * *")
    visitor.page.get_by_label("Time zone").fill("Europe/Berlin")
    visitor.page.get_by_text("At 02:30").wait_for()
    assert visitor.page.locator("#preview li").count() == 5
    when.fill("61 * * * *")
    visitor.page.locator("#preview .bad").wait_for()
    when.fill("30 2 * * *")
    visitor.page.get_by_label("Task type").select_option("noop")
    visitor.page.get_by_label("Name", exact=True).fill("nightly")
    visitor.press("Create the schedule")
    assert visitor.notice == "The schedule is created."
    assert listed(site, "schedules", "nightly")["timezone"] == "Europe/Berlin"
    visitor.press("Pause")
    assert not listed(site, "schedules", "nightly")["enabled"]
    visitor.press("Resume")
    visitor.page.get_by_role("button", name="Edit").click()
    when.fill("@hourly")
    visitor.press("Change the schedule")
    schedule = listed(site, "schedules", "nightly")
    assert (schedule["cron"], schedule["enabled"]) == ("@hourly", True)
    visitor.press("Run once now")
    jobs = site.call("GET", f"/api/jobs?scheduleId={schedule['id']}").body["jobs"]
    assert jobs
    visitor.press("Delete")
    assert visitor.notice == "The schedule is removed."


def test_a_queue_is_paused_limited_and_resumed(visit: Visit, site: Cluster) -> None:
    site.post_job("noop", queue="slow", delay_seconds=9e4)
    visitor = visit()
    visitor.go("/queues")

    def row() -> Locator:
        return visitor.page.locator("tr", has=visitor.page.get_by_role("link", name="slow", exact=True))

    def state() -> dict[str, Any]:
        queues = site.call("GET", "/api/queue/stats").body["queues"]
        return next(each for each in queues if each["name"] == "slow")

    visitor.press("Pause", row())
    assert state()["paused"]
    row().get_by_text("Limits").click()
    row().get_by_label("At a time").fill("3")
    row().get_by_label("Claims").fill("10")
    row().get_by_label("in seconds").fill("60")
    visitor.press("Set", row())
    assert (state()["max_running"], state()["rate_limit"]) == (3, {"count": 10, "per_seconds": 60.0})
    visitor.press("Resume", row())
    assert not state()["paused"]


def test_messages_in_redis_are_dropped_and_no_job_with_them(visit: Visit, site: Cluster) -> None:
    visitor = visit()
    visitor.go("/admin/queues")
    visitor.press("Empty", visitor.page.locator("article", has_text="default").first)
    assert "messages dropped." in visitor.notice
    visitor.go("/audit?objectType=queue")
    assert "empty_queue_in_redis" in visitor.text


def test_the_workers_page_shows_who_runs_what(visit: Visit, site: Cluster) -> None:
    visitor = visit()
    visitor.go("/workers")
    assert visitor.page.locator("tbody tr").count() == 2
    assert "executor" in visitor.text
    assert visitor.page.locator("tbody a[href='/jobs/3']").count() == 1


def test_a_template_is_kept_used_and_removed(visit: Visit, site: Cluster) -> None:
    visitor = visit()
    visitor.go("/templates/new?type=hostile_return")
    visitor.page.get_by_label("Name", exact=True).fill("greeting")
    visitor.page.locator("[name='data.text']").fill("Hello {{ name }}")
    visitor.press("Keep the template")
    article = visitor.page.locator("article", has_text="greeting")
    article.get_by_label("name", exact=True).fill("Ada")
    visitor.press("Create a job", article)
    job = int(visitor.where.rpartition("/")[2])
    assert site.job(job).task_data == {"text": "Hello Ada"}
    visitor.go("/templates")
    visitor.press("Delete", visitor.page.locator("article", has_text="greeting"))
    assert visitor.notice == "The template is removed."


def test_a_group_of_dead_letters_is_retried_and_another_removed(visit: Visit, site: Cluster) -> None:
    visitor = visit()
    jobs = [site.post_job("hostile_fail", {"text": f"no. {n} is broken"}) for n in range(3)]
    for each in jobs:
        site.reach(each, "failed")
    visitor.go("/dead-letters")
    group = visitor.page.locator("article", has_text="is broken")
    assert group.count() == 1
    visitor.press("Retry 3", group)
    assert "3 jobs sent round again." in visitor.notice
    for each in jobs:
        eventually(lambda each=each: len(site.executions(each)) == 2)
        site.reach(each, "failed")
    visitor.go("/dead-letters")
    visitor.press("Delete 3", visitor.page.locator("article", has_text="is broken"))
    assert "3 jobs removed." in visitor.notice


def test_an_admin_makes_accounts_and_changes_them(visit: Visit, site: Cluster) -> None:
    visitor = visit()
    visitor.go("/users")
    visitor.page.get_by_label("E-mail", exact=True).fill("new@example.com")
    visitor.page.get_by_label("Password (12+ characters)").fill("four old maps, nine keys")
    visitor.press("Create the account")
    assert visitor.notice == "The account is created."
    row = visitor.page.locator("tr", has_text="new@example.com")
    row.get_by_label("Role of new@example.com").select_option("viewer")
    visitor.press("Set", row)
    visitor.press("Shut out", visitor.page.locator("tr", has_text="new@example.com"))
    accounts = site.call("GET", "/api/users").body["users"]
    found = next(each for each in accounts if each["email"] == "new@example.com")
    assert (found["role"], found["active"]) == ("viewer", False)
    visitor.go("/audit?action=change_user")
    assert "viewer" in visitor.text
    visitor.go("/users")
    visitor.press("Delete", visitor.page.locator("tr", has_text="new@example.com"))
    assert visitor.notice == "The account is removed."


def test_a_key_is_shown_once_works_and_is_removed(visit: Visit) -> None:
    visitor = visit("user")
    visitor.go("/keys")
    visitor.page.get_by_label("Name", exact=True).fill("nightly import")
    visitor.press("Create the key")
    key = visitor.page.locator(".notice code").inner_text()
    answer = visitor.context.request.get(f"{visitor.url}/api/jobs", headers={"Authorization": f"Bearer {key}"})
    assert answer.status == 200
    visitor.go("/keys")
    assert key not in visitor.page.content()
    visitor.press("Delete", visitor.page.locator("tr", has_text="nightly import"))
    assert visitor.notice == "The key is removed."
