"""PgQueuer over PostgreSQL: two processes, 500 jobs a batch, on uvloop."""

import asyncio

import asyncpg
import uvloop
from peer import DATABASE_URL, main
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries
from ticks import tick

_BATCH = 500
_SEED_BATCH = 1000


async def _connect() -> asyncpg.Connection:
    return await asyncpg.connect(dsn=DATABASE_URL)


def seed(count: int) -> None:
    async def run() -> None:
        connection = await _connect()
        queries = Queries(AsyncpgDriver(connection))
        await queries.install()
        for start in range(0, count, _SEED_BATCH):
            size = min(_SEED_BATCH, count - start)
            await queries.enqueue(["noop"] * size, [b""] * size, [0] * size)
        await connection.execute("VACUUM ANALYZE pgqueuer")

    asyncio.run(run())


def is_drained() -> bool:
    async def run() -> bool:
        connection = await _connect()
        try:
            return await connection.fetchrow("SELECT 1 FROM pgqueuer LIMIT 1") is None
        finally:
            await connection.close()

    return asyncio.run(run())


def work() -> None:
    async def run() -> None:
        queue = PgQueuer(AsyncpgDriver(await _connect()))

        @queue.entrypoint("noop")
        async def noop(job: Job) -> None:
            tick()

        await queue.run(batch_size=_BATCH)

    uvloop.run(run())


if __name__ == "__main__":
    main(seed, is_drained, work)
