"""Procrastinate over PostgreSQL: two processes, ten jobs at once in each."""

import asyncio

import psycopg
from peer import DATABASE_URL, main
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector
from ticks import tick

_BATCH = 1000
_CONCURRENCY = 10


def _app(connector: PsycopgConnector | SyncPsycopgConnector) -> App:
    app = App(connector=connector)

    @app.task(name="noop")
    async def noop(number: int) -> None:
        tick()

    return app


def seed(count: int) -> None:
    app = _app(SyncPsycopgConnector(conninfo=DATABASE_URL))
    with app.open():
        app.schema_manager.apply_schema()
        for start in range(0, count, _BATCH):
            numbers = range(start, min(start + _BATCH, count))
            app.tasks["noop"].batch_defer(*[{"number": number} for number in numbers])
    _run("VACUUM ANALYZE procrastinate_jobs")


def is_drained() -> bool:
    return not _run("SELECT 1 FROM procrastinate_jobs WHERE status IN ('todo', 'doing') LIMIT 1")


def work() -> None:
    async def run() -> None:
        app = _app(PsycopgConnector(conninfo=DATABASE_URL, max_size=_CONCURRENCY + 4))
        async with app.open_async():
            await app.run_worker_async(concurrency=_CONCURRENCY)

    asyncio.run(run())


def _run(statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(DATABASE_URL, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


if __name__ == "__main__":
    main(seed, is_drained, work)
