"""GET /metrics: who may read it, and what the API counts."""

from dataclasses import replace

from prometheus_client import REGISTRY

from scheduler.api.app import Services, create_app
from tests.integration.api.calls import NOOP, Api

TOKEN = "a-token-for-prometheus"


def created() -> float:
    return REGISTRY.get_sample_value("scheduler_jobs_created_total", {"source": "api"}) or 0.0


def test_the_token_of_the_settings_opens_metrics_and_nothing_else(services: Services) -> None:
    prometheus = Api(create_app(replace(services, metrics_token=TOKEN)), TOKEN)
    answer = prometheus.get("/metrics")
    answer.ok()
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert "scheduler_jobs_created_total" in answer.text
    assert "process_resident_memory_bytes" in answer.text
    prometheus.get("/api/jobs").problem(401)
    prometheus.as_(TOKEN[:-1]).get("/metrics").problem(401)
    prometheus.as_("").get("/metrics").problem(401)


def test_without_the_setting_no_token_opens_metrics(api: Api) -> None:
    api.get("/metrics").ok()  # an admin's log-in
    for token in ("", " ", TOKEN):
        api.as_("").get("/metrics", headers={"Authorization": f"Bearer {token}"}).problem(401)


def test_jobs_are_counted_when_they_are_there_to_stay(api: Api) -> None:
    before = created()
    job = api.create(unique_key="one", delay_seconds=3600)
    assert created() == before + 1
    api.post("/api/job", {"task": NOOP, "unique_key": "one"}).ok(200)  # that very job
    api.post("/api/bulk/create", {"jobs": [{"task": NOOP, "unique_key": "one"}]}).problem(409)
    assert created() == before + 1
    api.post("/api/bulk/create", {"jobs": [{"task": NOOP}] * 3}).ok(201)
    api.post(f"/api/duplicate/{job['id']}", {}, headers={"Idempotency-Key": "k"}).ok(201)
    api.post(f"/api/duplicate/{job['id']}", {}, headers={"Idempotency-Key": "k"}).ok(201)
    assert created() == before + 5
