"""DELETE /api/jobs/:id."""

import pytest

from scheduler.domain.caller import OPERATOR, Caller
from scheduler.domain.errors import NotFound
from scheduler.domain.job import NewJob
from scheduler.domain.states import LIVE, JobStatus
from scheduler.store.connection import Database
from scheduler.store.intake import create_job
from scheduler.store.removal import delete_job
from tests.integration.api.calls import Api
from tests.integration.api.conftest import Move
from tests.integration.api.test_listing import RECORD


@pytest.mark.parametrize("status", JobStatus)
def test_a_job_leaves_with_its_history_unless_somebody_works_on_it(
    api: Api, db: Database, move: Move, status: JobStatus
) -> None:
    job, neighbour = api.create()["id"], api.create()["id"]
    if status is JobStatus.CANCELLED:
        api.post(f"/api/cancel/{job}").ok()
    elif status is not JobStatus.PENDING:
        move(job, status)
    with db.connection() as connection:
        connection.execute(RECORD, (job, 2))
        connection.execute(RECORD, (neighbour, 1))
    answer = api.delete(f"/api/jobs/{job}")
    if status in LIVE:
        assert answer.problem(409)["current_status"] == status
        assert api.get("/api/executions").ok()["pagination"]["total"] == 3
    else:
        assert (answer.status, answer.text) == (204, "")
        assert "Content-Type" not in answer.headers
        api.get(f"/api/jobs/{job}").problem(404)
        api.delete(f"/api/jobs/{job}").problem(404)
        assert [each["job_id"] for each in api.get("/api/executions").ok()["executions"]] == [neighbour]


def test_it_may_come_with_an_empty_body(api: Api) -> None:
    assert api.delete(f"/api/jobs/{api.create()['id']}", {}).status == 204


def test_anothers_job_is_not_found_and_stays(db: Database) -> None:
    with db.connection() as connection:
        job, _ = create_job(connection, Caller(owner_id=1), NewJob(task_type="noop", task_data={}))
        with pytest.raises(NotFound):
            delete_job(connection, Caller(owner_id=2), job.id)
        delete_job(connection, Caller(owner_id=1), job.id)
        with pytest.raises(NotFound):
            delete_job(connection, OPERATOR, job.id)
