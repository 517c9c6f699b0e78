"""What a step of the claim sends to PostgreSQL, and in which order it serves queues."""

from collections.abc import Generator

import pytest

from scheduler.domain.caller import OPERATOR
from scheduler.domain.job import NewJob
from scheduler.domain.states import JobStatus
from scheduler.executor.worker import MessageWorker
from scheduler.picker.claim import Claim
from scheduler.queue import Outbox
from scheduler.store import backlog
from scheduler.store.connection import Connection, Database
from scheduler.store.intake import create_job
from scheduler.store.reads import get_status
from tests.eventually import eventually


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A line for every question after what waits."""
    asked: list[str] = []
    for name in ("upcoming", "upcoming_from"):
        question = getattr(backlog, name)

        def ask(conn: Connection, *args: object, question: object = question, name: str = name) -> object:
            asked.append(name)
            assert callable(question)
            return question(conn, *args)

        monkeypatch.setattr(backlog, name, ask)
    return asked


@pytest.fixture
def claim(db: Database, redis_url: str) -> Generator[Claim]:
    MessageWorker(redis_url, queues=[], name="test", capacity=100).announce(busy=False, finished=0, failed=0)
    outbox = Outbox(redis_url)
    yield Claim(db, outbox, batch_size=10, lease_seconds=30, ageing_seconds=60)
    outbox.close()


def due(db: Database, queue: str) -> int:
    with db.connection() as conn:
        return create_job(conn, OPERATOR, NewJob(task_type="noop", task_data={}, queue=queue))[0].id


def status(db: Database, job_id: int) -> JobStatus:
    with db.connection() as conn:
        return get_status(conn, OPERATOR, job_id)


@pytest.fixture
def known(db: Database, claim: Claim) -> tuple[str, str]:
    """Two queues that the picker has met; the second had work last."""
    names = ("reports", "mail")
    for queue in names:
        job_id = due(db, queue)
        eventually(lambda job_id=job_id: claim.step() == 0.0 and status(db, job_id) is JobStatus.PICKED)
    return names


def test_told_of_work_it_tries_the_queue_that_had_some_last(
    db: Database, claim: Claim, known: tuple[str, str], looks: list[str]
) -> None:
    claim.step()
    looks.clear()
    job_id = due(db, known[1])
    claim.expect_work()
    assert claim.step() == 0.0
    assert status(db, job_id) is JobStatus.PICKED
    assert looks == []


def test_what_a_claim_left_behind_needs_no_look(
    db: Database, claim: Claim, known: tuple[str, str], looks: list[str]
) -> None:
    ids = [due(db, known[1]) for _ in range(15)]
    claim.step()
    looks.clear()
    claim.step()
    assert {status(db, job_id) for job_id in ids} == {JobStatus.PICKED}
    assert looks == []


def test_told_of_work_it_finds_it_elsewhere(db: Database, claim: Claim, known: tuple[str, str]) -> None:
    job_id = due(db, known[0])
    claim.expect_work()
    claim.step()
    assert status(db, job_id) is JobStatus.PICKED


def test_a_queue_that_always_has_work_keeps_no_other_waiting(
    db: Database, claim: Claim, known: tuple[str, str]
) -> None:
    job_id = due(db, known[0])
    for _ in range(2):
        due(db, known[1])
        claim.expect_work()
        claim.step()
    assert status(db, job_id) is JobStatus.PICKED


@pytest.mark.parametrize(("jobs", "sizes"), [(10, [10]), (9, [5, 4])])
def test_while_more_wait_one_message_holds_a_whole_claim(
    db: Database, redis_url: str, claim: Claim, jobs: int, sizes: list[int]
) -> None:
    for _ in range(jobs):
        due(db, "deep")
    eventually(lambda: claim.step() == 0.0)
    reader = MessageWorker(redis_url, queues=["deep"], name="reader", capacity=1)
    messages = [reader.receive() for _ in sizes]
    assert [message and len(message.ids) for message in messages] == sizes
