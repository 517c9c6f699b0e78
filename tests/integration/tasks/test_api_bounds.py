"""`api` against servers that never come to an end, send too much, or are many: nothing grows without bound."""

import asyncio
import os
import resource
import tracemalloc
from collections import Counter

import pytest
from aiohttp import web

from scheduler.domain.errors import TaskError
from scheduler.domain.job import Attempt, AttemptKey, Failed, JsonObject, Outcome
from scheduler.domain.retry import DEFAULT_RETRY
from scheduler.domain.states import ExecutionStatus
from scheduler.executor.deadlines import Deadlines
from scheduler.executor.places import Places
from scheduler.executor.run import Running, run_attempt
from tests.integration.tasks.hostile import (
    Write,
    dripping_body,
    dripping_headers,
    endless_header,
    endless_headers,
    raw_server,
    silence,
)
from tests.integration.tasks.running import Bench
from tests.integration.tasks.service import BIG, call, listening

IN_FLIGHT = 2_000


@pytest.mark.parametrize("path", ["/big", "/bomb/gzip", "/bomb/deflate"])
def test_a_large_answer_is_cut_after_decompression_and_never_in_memory(path: str) -> None:
    tracemalloc.start()
    try:
        result, _, _ = call(path, {"max_response_bytes": 1000})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(str(result["body"])) == 1000
    assert result["truncated"] is True
    assert peak < BIG / 8


@pytest.mark.parametrize("write", [endless_headers, endless_header])
def test_headers_without_end_are_not_read_to_their_end(write: Write) -> None:
    async def alone() -> TaskError:
        bench = Bench(allow=("127.0.0.1",))
        async with raw_server(write) as url:
            with pytest.raises(TaskError) as caught:
                await bench.run("api", {"url": url})
            await bench.registry.aclose()
        return caught.value

    error = asyncio.run(alone())
    assert (type(error), error.type) == (TaskError, "http")


@pytest.mark.parametrize("write", [silence, dripping_headers, dripping_body])
def test_the_attempts_time_bounds_the_whole_exchange(write: Write) -> None:
    async def alone() -> Outcome | None:
        bench = Bench(allow=("127.0.0.1",))
        async with raw_server(write) as url:
            attempt = Attempt(
                key=AttemptKey(42, 1),
                attempt=1,
                max_attempts=1,
                task_type="api",
                task_data={"url": url},
                timeout_seconds=0.3,
                retry=DEFAULT_RETRY,
                lateness_seconds=0.0,
                lease_seconds=60.0,
                blocks_others=False,
            )
            running = Running(attempt, held_until=float("inf"))
            running.task = asyncio.create_task(
                run_attempt(running, bench.registry, Places(threads=1, processes=1), Deadlines())
            )
            outcome = await running.task
            await bench.registry.aclose()
        return outcome

    outcome = asyncio.run(alone())
    assert isinstance(outcome, Failed)
    assert outcome.status == ExecutionStatus.TIMED_OUT


def test_thousands_of_requests_in_flight_leave_no_descriptor_open() -> None:
    """Answered, refused, broken and cancelled ones, all at once."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 3 * IN_FLIGHT:
        pytest.skip("this system allows too few descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 3 * IN_FLIGHT), hard))
    try:
        before, at_most, after, results = asyncio.run(_many_in_flight())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert at_most >= IN_FLIGHT
    assert after <= before
    kinds = Counter(type(each).__name__ for each in results)
    quarter = IN_FLIGHT // 4
    assert kinds == {"dict": quarter, "PermanentError": quarter, "TaskError": quarter, "CancelledError": quarter}


async def _many_in_flight() -> tuple[int, int, int, list[JsonObject | BaseException]]:
    """Descriptors before, at the most and after; and what became of the requests."""
    bench, all_here, go_on = Bench(allow=("127.0.0.1",)), asyncio.Event(), asyncio.Event()
    arrived = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal arrived
        arrived += 1
        if arrived == IN_FLIGHT // 4 * 3:
            all_here.set()
        await go_on.wait()
        if request.path == "/drop" and request.transport is not None:
            request.transport.close()
        return web.Response(text="ok")

    before = descriptors()
    async with listening(answer, backlog=IN_FLIGHT) as url:
        urls = [f"{url}/ok", "http://127.0.0.2:9/", f"{url}/drop", f"{url}/cancelled"]
        calls = [bench.run("api", {"url": urls[n % 4], "method": "POST"}) for n in range(IN_FLIGHT)]
        tasks = [*map(asyncio.create_task, calls)]
        await all_here.wait()
        at_most = descriptors()
        for each in tasks[3::4]:
            each.cancel()
        go_on.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        await bench.registry.aclose()
    await asyncio.sleep(0)  # transports close in the loop's next round
    return before, at_most, descriptors(), results


def descriptors() -> int:
    """How many this process has open."""
    return len(os.listdir("/dev/fd"))
