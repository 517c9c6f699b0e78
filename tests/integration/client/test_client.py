"""The client against a running system, on a way that breaks, and with a log-in that runs out."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from scheduler.client import (
    AsyncClient,
    Client,
    ClientError,
    InMemory,
    LogIn,
    NotInTime,
    Retries,
    ServerFault,
    TooMany,
    Unauthenticated,
    Unreachable,
)
from scheduler.domain.account import NewAccount, Role
from scheduler.domain.password import hash_password
from scheduler.store.accounts import create_account
from scheduler.store.connection import Database
from tests.credentials import access_token
from tests.integration.cli.running import System
from tests.integration.client.flaky import flaky

PAGE = Path(__file__).parents[3] / "docs" / "client.md"
EMAIL, PASSWORD = "ada@example.com", "a long pass phrase"
QUICK = Retries(first_seconds=0.01)


class Kind(Protocol):
    """A client of one kind, asked one thing."""

    __name__: str

    def __call__(self, url: str, ask: Callable[[Any], Any], **options: Any) -> Any: ...


def defaults(options: dict[str, Any]) -> dict[str, Any]:
    return {"token": access_token(), "retries": QUICK, **options}


def at_once(url: str, ask: Callable[[Client], Any], **options: Any) -> Any:
    with Client(url, **defaults(options)) as client:
        return ask(client)


def awaited(url: str, ask: Callable[[AsyncClient], Awaitable[Any]], **options: Any) -> Any:
    async def main() -> Any:
        async with AsyncClient(url, **defaults(options)) as client:
            return await ask(client)

    return asyncio.run(main())


both = pytest.mark.parametrize("kind", [at_once, awaited])


@pytest.fixture(scope="module")
def ada(system: System) -> Iterator[System]:
    """The system, with an account for which the tests' tokens speak."""
    database = Database(system.environment["DATABASE_URL"], name="test")
    with database.connection() as conn:
        create_account(conn, NewAccount(email=EMAIL, password_hash=hash_password(PASSWORD), role=Role.ADMIN))
    yield system
    database.close()


def test_each_example_of_the_page(ada: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHEDULER_TOKEN", access_token())
    page = PAGE.read_text().replace("http://127.0.0.1:3000", ada.url)
    examples = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(examples) == page.count("```python")
    names: dict[str, Any] = {}
    for example in examples:
        exec(compile(example, str(PAGE), "exec"), names)
    names["client"].close()


@both
def test_a_job_is_created_once_whatever_breaks(kind: Kind, ada: System) -> None:
    name = f"once-{kind.__name__}"
    with flaky(ada.url, ["lost", 503, "cut", 429]) as way:
        job = kind(way.url, lambda client: client.jobs.create("noop", name=name, delay_seconds=3600))
    assert len(way.requests) == 5
    assert len(set(way.keys)) == 1
    assert way.keys[0]
    with Client(ada.url, access_token()) as client:
        assert [each.id for each in client.jobs.list(search=name)] == [job.id]


@both
def test_what_may_have_been_done_is_not_done_again(kind: Kind, ada: System) -> None:
    job = kind(ada.url, lambda client: client.jobs.create("noop", delay_seconds=3600))
    with flaky(ada.url, ["lost"]) as way, pytest.raises(Unreachable):
        kind(way.url, lambda client: client.jobs.cancel(job.id))
    assert len(way.requests) == 1
    with flaky(ada.url, ["lost"]) as way:  # but what is gone is gone, whoever was told
        assert kind(way.url, lambda client: client.jobs.delete(job.id)) is None
    assert len(way.requests) == 2


def test_a_server_that_stays_ill_is_an_error(ada: System) -> None:
    with flaky(ada.url, [503, 503, 503, 503]) as way, pytest.raises(ServerFault):
        at_once(way.url, lambda client: client.system.stats(), retries=Retries(attempts=3, first_seconds=0.01))
    assert len(way.requests) == 3
    with flaky(ada.url, [429], retry_after="3600") as way, pytest.raises(ClientError) as refused:
        at_once(way.url, lambda client: client.system.stats())
    assert len(way.requests) == 1
    assert isinstance(refused.value, TooMany)
    assert refused.value.retry_after == 3600


@both
def test_an_export_that_breaks_off_is_no_whole_export(kind: Kind, ada: System) -> None:
    def every(client: Any) -> Any:
        if isinstance(client, Client):
            return b"".join(client.jobs.export())

        async def chunks() -> bytes:
            return b"".join([chunk async for chunk in client.jobs.export()])

        return chunks()

    kind(ada.url, lambda client: client.jobs.create("noop", delay_seconds=3600))
    whole = kind(ada.url, every)
    assert whole.startswith(b"id,name,")
    assert whole.count(b"\n") > 1
    with flaky(ada.url, [503, "cut"]) as way, pytest.raises(Unreachable):
        kind(way.url, every)
    assert len(way.requests) == 2


@both
def test_waiting_has_an_end(kind: Kind, ada: System) -> None:
    job = kind(ada.url, lambda client: client.jobs.create("noop", delay_seconds=3600))
    with pytest.raises(NotInTime) as late:
        kind(ada.url, lambda client: client.jobs.wait(job.id, timeout=0.2))
    assert (late.value.job_id, late.value.status) == (job.id, "pending")


@both
def test_a_log_in_renews_itself_until_it_is_over(kind: Kind, ada: System) -> None:
    keeper = InMemory()
    kind(ada.url, lambda client: client.log_in(EMAIL, PASSWORD), token="", keeper=keeper)
    first = keeper.load()
    assert first is not None
    assert PASSWORD not in repr(first)
    assert first.refresh_token not in repr(first)
    keeper.save(LogIn(access_token=access_token(exp=1), refresh_token=first.refresh_token))
    assert kind(ada.url, lambda client: client.account.me(), token="", keeper=keeper).email == EMAIL
    renewed = keeper.load()
    assert renewed is not None
    assert renewed.refresh_token != first.refresh_token
    kind(ada.url, lambda client: client.log_out(), token="", keeper=keeper)
    assert keeper.load() is None
    keeper.save(LogIn(access_token=access_token(exp=1), refresh_token=renewed.refresh_token))
    with pytest.raises(Unauthenticated, match="log in again"):
        kind(ada.url, lambda client: client.account.me(), token="", keeper=keeper)
