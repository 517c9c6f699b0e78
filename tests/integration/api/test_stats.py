"""GET /api/stats."""

import pytest

from tests.integration.api.calls import Api


def test_statistics_of_nothing(api: Api) -> None:
    body = api.get("/api/stats").ok()
    assert set(body["status_counts"].values()) == {0}
    assert body["task_types"] == {}
    nothing = {"p50": None, "p95": None, "p99": None}
    assert body["performance"] == {
        "throughput_per_minute": 0,
        "success_rate": None,
        "queue_wait_ms": nothing,
        "duration_ms": nothing,
    }
    assert body["timeline"][0].keys() == {"at", "completed", "failed"}
    detailed = api.get("/api/stats", {"detailed": "true"}).ok()["timeline"][-1]
    assert detailed.keys() == {"at", "completed", "failed", "queue_wait_ms", "duration_ms"}
    assert detailed["duration_ms"].keys() == {"p50", "p95", "p99"}


def test_statistics_count_jobs(api: Api) -> None:
    api.create()
    cancelled = api.create()["id"]
    api.post(f"/api/cancel/{cancelled}").ok()
    body = api.get("/api/stats", {"hours": 1}).ok()
    assert body["status_counts"] == {
        "pending": 1,
        "picked": 0,
        "running": 0,
        "completed": 0,
        "failed": 0,
        "cancelled": 1,
    }
    assert body["task_types"] == {"noop": 2}
    assert len(body["timeline"]) in {12, 13}


@pytest.mark.parametrize("hours", ["0", "169", "x", "1.5"])
def test_a_wrong_window_is_named(api: Api, hours: str) -> None:
    assert api.get("/api/stats", {"hours": hours}).locations() == [["hours"]]
