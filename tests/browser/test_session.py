"""Who gets in, and what pages of elsewhere cannot do."""

import pytest

from scheduler.store.connection import Database
from tests.acceptance.cluster import Cluster
from tests.browser.conftest import Visit
from tests.browser.visitor import PASSWORD

CHANGES = [
    "/jobs",
    "/jobs/4/cancel",
    "/jobs/4/edit",
    "/jobs/new",
    "/schedules/new",
    "/schedules/1/pause",
    "/templates/new",
    "/templates/1/use",
    "/dead-letters",
    "/queues/default/pause",
    "/admin/queues/default/empty",
    "/users",
    "/keys",
    "/logout",
]


def test_nobody_sees_a_page_without_a_log_in_and_comes_where_he_wanted_to_go(visit: Visit) -> None:
    visitor = visit(None)
    visitor.go("/jobs?status=failed")
    assert visitor.where == "/login?next=/jobs?status%3Dfailed"
    visitor.page.get_by_label("E-mail").fill("admin@example.com")
    visitor.page.get_by_label("Password").fill("wrong")
    visitor.press("Log in")
    assert "password" in visitor.notice.lower()
    visitor.page.get_by_label("Password").fill(PASSWORD)
    visitor.press("Log in")
    assert visitor.where == "/jobs?status=failed"


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/", "//evil.example/", "/\\evil.example/", "javascript:alert(1)"]
)
def test_the_log_in_leads_to_no_other_site(visit: Visit, wanted: str) -> None:
    visitor = visit(None)
    visitor.go(f"/login?next={wanted}")
    visitor.page.get_by_label("E-mail").fill("admin@example.com")
    visitor.page.get_by_label("Password").fill(PASSWORD)
    visitor.press("Log in")
    assert visitor.where == "/"


def test_the_cookie_is_out_of_reach_of_scripts_and_no_token_of_the_api(visit: Visit, site: Cluster) -> None:
    visitor = visit()
    (cookie,) = [each for each in visitor.context.cookies() if each.get("name") == "scheduler_dashboard"]
    assert (cookie.get("httpOnly"), cookie.get("sameSite")) == (True, "Lax")
    value = cookie.get("value", "")
    request = visitor.context.request
    assert request.get(f"{visitor.url}/api/jobs").status == 401
    assert request.get(f"{visitor.url}/api/jobs", headers={"Authorization": f"Bearer {value}"}).status == 401
    assert request.post(f"{visitor.url}/api/auth/refresh", data={"refresh_token": value}).status == 401
    assert value not in str(site.sql("SELECT encode(hash, 'escape') FROM dashboard_sessions"))


def test_no_change_without_the_token_of_our_own_pages(visit: Visit, site: Cluster) -> None:
    visitor = visit()
    for path in CHANGES:
        for csrf in ("", "0" * 64):
            answer = visitor.context.request.post(visitor.url + path, form={"csrf": csrf}, max_redirects=0)
            assert (path, answer.status) == (path, 403)
    assert site.job(4).status == "pending"
    assert visitor.go("/jobs").status == 200


def test_a_page_of_another_site_changes_nothing(visit: Visit) -> None:
    visitor = visit()
    visitor.go("/jobs")
    token = visitor.page.locator("input[name=csrf]").first.get_attribute("value") or ""
    answer = visitor.context.request.post(
        f"{visitor.url}/jobs/4/cancel",
        form={"csrf": token},
        headers={"Origin": "https://evil.example"},
        max_redirects=0,
    )
    assert answer.status == 403


def test_logging_out_ends_it_on_the_server_too(visit: Visit) -> None:
    visitor = visit()
    kept = [each for each in visitor.context.cookies() if each.get("name") == "scheduler_dashboard"]
    value = kept[0].get("value", "")
    visitor.page.locator("details.menu summary").click()
    visitor.page.get_by_role("button", name="Log out").click()
    assert visitor.where == "/login"
    visitor.context.add_cookies([{"name": "scheduler_dashboard", "value": value, "url": visitor.url}])
    visitor.go("/jobs")
    assert visitor.where.startswith("/login")


def test_shutting_an_account_out_ends_its_dashboard_at_once(visit: Visit, site: Cluster) -> None:
    visitor = visit("user")
    visitor.go("/jobs")
    accounts = site.call("GET", "/api/users").body["users"]
    user = next(each["id"] for each in accounts if each["email"] == "user@example.com")
    try:
        site.call("PATCH", f"/api/users/{user}", {"active": False})
        visitor.go("/jobs")
        assert visitor.where.startswith("/login")
    finally:
        site.call("PATCH", f"/api/users/{user}", {"active": True})


def test_a_viewer_sees_no_control_and_is_refused_in_any_case(visit: Visit) -> None:
    visitor = visit("viewer")
    token = ""
    for path in ("/", "/jobs", "/schedules", "/templates", "/dead-letters"):
        visitor.go(path)
        buttons = visitor.page.locator("main form[method=post]")
        assert buttons.count() == 0, path
        assert visitor.page.get_by_role("button", name="New").count() == 0
        token = visitor.page.locator("input[name=csrf]").first.get_attribute("value") or ""
    assert visitor.go("/users").status == 403
    assert visitor.go("/admin/queues").status == 403
    assert visitor.go("/audit").status == 403
    answer = visitor.context.request.post(f"{visitor.url}/jobs/new", form={"csrf": token, "type": "noop"})
    assert answer.status == 403
    assert "A viewer may not change anything" in answer.text()


def test_others_jobs_are_not_there(visit: Visit, site: Cluster) -> None:
    visitor = visit("user")
    assert visitor.go("/jobs/1").status == 404
    visitor.go("/jobs")
    assert "There are no jobs yet." in visitor.text


def test_an_unfinished_log_in_leaves_no_token_behind(visit: Visit, site: Cluster, servers: object) -> None:
    """The refresh token of the log-in was traded for the cookie."""
    visit()
    with Database(site.database_url, name="test").connection() as conn:
        row = conn.execute("SELECT count(*) FROM refresh_tokens JOIN dashboard_sessions USING (session_id)").fetchone()
    assert row == (0,)
