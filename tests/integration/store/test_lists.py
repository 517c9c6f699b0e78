"""Lists of jobs against a plain filter in Python: every filter, order and page, while jobs come, go and settle."""

import csv
import io
import random
from collections.abc import Callable, Generator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, LiteralString

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.domain.caller import OPERATOR, Caller
from scheduler.domain.job import Job
from scheduler.domain.listing import EXACT_COUNT, JobFilter, Page, PageRequest, Sort
from scheduler.domain.states import JobStatus
from scheduler.store import bulk, export, lists, totals
from scheduler.store.connection import Connection
from scheduler.store.listing import Listing, Place
from scheduler.store.lists import list_jobs
from scheduler.store.reads import get_job
from scheduler.store.settling import settle
from scheduler.store.trigrams import telling_pattern
from tests.servers import Servers, fresh_database

JOBS = 400
START = datetime(2026, 2, 19, tzinfo=UTC)

INSERT = """
    INSERT INTO jobs (owner_id, name, description, task_type, task_data, status, queue, priority, schedule_id,
                      scheduled_at, created_at, attempt, run, picked_at, started_at, completed_at, worker, lease_until,
                      error, settled)
    SELECT n % 3, 'job ' || n, CASE WHEN n % 5 = 0 THEN 'Über "' || n END,
           (ARRAY['note', 'mail', 'rare'])[1 + (n * 7 % 20) / 9],
           jsonb_build_object('to', 'user' || n % 50 || '@example.com',
                              'text', E'line\\n"' || n % 7 || E'"\\nmark' || n % 7),
           status, (ARRAY['default', 'mail'])[1 + n % 2], 1 + n * 5 % 9, CASE WHEN n % 4 = 0 THEN n % 11 + 1 END,
           timestamptz '2026-02-19Z' + n * 7919 % 97 * interval '1 hour',
           timestamptz '2026-02-19Z' + n / 3 * interval '1 s',
           (status <> 'pending')::int, (status <> 'pending')::int,
           CASE WHEN status <> 'pending' THEN now() END, CASE WHEN status <> 'pending' THEN now() END,
           CASE WHEN status IN ('completed', 'failed', 'cancelled') THEN now() END, 'w',
           CASE WHEN status IN ('picked', 'running') THEN now() + interval '1 day' END,
           CASE WHEN status = 'failed' THEN '{}'::jsonb END, status NOT IN ('picked', 'running') AND n * 31 % 10 < 8
    FROM (SELECT n, (ARRAY['completed', 'completed', 'completed', 'pending', 'failed', 'cancelled', 'picked',
                           'running'])[1 + n * 13 % 8]::job_status AS status
          FROM generate_series(1, %(jobs)s) AS n) AS each""".replace(" % ", " %% ")


class Everything(list[Job]):
    """All jobs; hypothesis prints its arguments, and these are too many."""

    def __repr__(self) -> str:
        return "all jobs"


@pytest.fixture(scope="module")
def crowd_url(servers: Servers) -> Generator[str]:
    with fresh_database(servers) as url, psycopg.connect(url, autocommit=True) as conn:
        conn.execute(INSERT.encode(), {"jobs": JOBS})
        conn.execute("VACUUM (ANALYZE) jobs")
        yield url


@pytest.fixture(scope="module")
def crowd(crowd_url: str) -> Generator[Connection]:
    with psycopg.connect(crowd_url, autocommit=True) as conn:
        yield conn


@pytest.fixture(scope="module")
def jobs(crowd: Connection) -> "Everything":
    return Everything(get_job(crowd, OPERATOR, job_id) for (job_id,) in crowd.execute("SELECT id FROM jobs").fetchall())


UNINDEXED = ["e", "%", '"3"']
TEXTS = [
    "job 1",
    "JOB 37",
    "USER7@",
    "er7@Example.com",
    "user_7",
    "user7.com",
    '"\nmark3',
    "no such",
    "rare",
    "line\n",
    'Über "',
    "Über",
    "100",
    *UNINDEXED,
]

filters = st.builds(
    JobFilter,
    statuses=st.lists(st.sampled_from(JobStatus), max_size=3, unique=True).map(tuple),
    task_type=st.sampled_from([None, None, "note", "rare", "none"]),
    search=st.sampled_from([None, None, *TEXTS]),
    scheduled_from=st.sampled_from([None, None, START + timedelta(hours=30)]),
    scheduled_before=st.sampled_from([None, None, START + timedelta(hours=60)]),
    queue=st.sampled_from([None, None, "mail", "none"]),
    priority=st.sampled_from([None, None, 1, 5]),
    schedule_id=st.sampled_from([None, None, 3]),
)


def matches(job: Job, wanted: JobFilter, caller: Caller) -> bool:
    texts = [job.name, job.description, job.task_type, *map(str, job.task_data.values())]
    return (
        (caller.sees_all or job.owner_id == caller.owner_id)
        and (not wanted.statuses or job.status in wanted.statuses)
        and wanted.task_type in {None, job.task_type}
        and wanted.queue in {None, job.queue}
        and wanted.priority in {None, job.priority}
        and wanted.schedule_id in {None, job.schedule_id}
        and (wanted.scheduled_from is None or job.scheduled_at >= wanted.scheduled_from)
        and (wanted.scheduled_before is None or job.scheduled_at < wanted.scheduled_before)
        and (wanted.search is None or any(wanted.search.lower() in (text or "").lower() for text in texts))
    )


def walk(conn: Connection, caller: Caller, wanted: JobFilter, request: PageRequest) -> Generator[list[int]]:
    """The ids of page after page, by cursor."""
    while True:
        page = list_jobs(conn, caller, wanted, request)
        assert len(page.items) <= request.limit
        yield [job.id for job in page.items]
        if page.next is None:
            return
        request = replace(request, after=page.next)


@settings(max_examples=300, deadline=None, database=None)
@given(
    wanted=filters,
    sort=st.sampled_from(Sort),
    limit=st.sampled_from([1, 7, 200]),
    caller=st.sampled_from([OPERATOR, OPERATOR, Caller(owner_id=1)]),
    near=st.sampled_from([1, 20, 4000]),
    exact=st.sampled_from([EXACT_COUNT, EXACT_COUNT, 0]),
    by_index_alone=st.booleans(),
)
def test_a_list_is_what_a_plain_filter_finds(
    crowd: Connection,
    jobs: Everything,
    wanted: JobFilter,
    sort: Sort,
    limit: int,
    caller: Caller,
    near: int,
    exact: int,
    by_index_alone: bool,
) -> None:
    def foresee_matches(_conn: Connection, _listing: object) -> totals.Foreseen:
        return totals.Foreseen(4 * near, by_index_alone=by_index_alone)

    key: Callable[[Job], Any] = lambda job: (getattr(job, sort.column), job.id)  # noqa: E731
    found = [job for job in jobs if matches(job, wanted, caller)]
    expected = [job.id for job in sorted(found, key=key, reverse=sort.descends)]
    request = PageRequest(limit=max(limit, len(expected) // 10), sort=sort)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lists, "NEAR", near)
        patch.setattr(lists, "foresee_matches", foresee_matches)
        patch.setattr(totals, "SAMPLE", near)
        patch.setattr(totals, "EXACT_COUNT", exact)
        pages = list(walk(crowd, caller, wanted, request))
        second = list_jobs(crowd, caller, wanted, replace(request, page=2))
    assert [job_id for page in pages for job_id in page] == expected
    if wanted.search not in UNINDEXED:  # what no index finds may come in short pages
        assert all(len(page) == request.limit for page in pages[:-1])
        assert [job.id for job in second.items] == expected[request.limit : 2 * request.limit]
    if exact:
        assert (second.total, second.total_is_estimate) == (len(expected), False)


@pytest.mark.parametrize("search", ["user7.com", '"\nmark3', "er7@Example.com"])
def test_what_the_index_finds_is_compared_with_the_whole_search(
    crowd: Connection, jobs: Everything, search: str
) -> None:
    wanted = JobFilter(search=search)
    found = {job.id for job in list_jobs(crowd, OPERATOR, wanted, PageRequest(limit=200)).items}
    assert found == {job.id for job in jobs if matches(job, wanted, OPERATOR)}


def test_what_no_index_finds_is_counted_exactly_among_few_jobs(conn: Connection) -> None:
    """Nor is anything known of them, since nobody has analyzed the table."""
    conn.execute(INSERT.encode(), {"jobs": 2_000})
    (expected,) = conn.execute("SELECT count(*) FROM jobs WHERE task_data->>'to' LIKE '%@%'").fetchall()[0]
    page = list_jobs(conn, OPERATOR, JobFilter(search="@"), PageRequest(limit=2))
    assert (page.total, page.total_is_estimate, len(page.items)) == (expected, False, 2)


def test_few_jobs_are_counted_whatever_the_planner_takes_them_for(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three times as many as there are, for most were deleted since it looked."""
    conn.execute(INSERT.encode(), {"jobs": 2_000})
    settle(conn, limit=2_000, patience_seconds=0)
    conn.execute("ANALYZE jobs")
    conn.execute("DELETE FROM jobs WHERE id % 3 > 0")
    monkeypatch.setattr(totals, "SAMPLE", 50)
    monkeypatch.setattr(totals, "EXACT_COUNT", 700)
    page = list_jobs(conn, OPERATOR, JobFilter(search="user"), PageRequest())
    assert (page.total, page.total_is_estimate) == (667, False)


@settings(max_examples=100, deadline=None, database=None)
@given(wanted=filters, caller=st.sampled_from([OPERATOR, Caller(owner_id=1)]), many=st.sampled_from([-1, JOBS]))
def test_an_export_is_what_a_plain_filter_finds(
    crowd: Connection, jobs: Everything, wanted: JobFilter, caller: Caller, many: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "MANY", many)
        text = b"".join(export.export_jobs(crowd, caller, wanted)).decode()
    exported = [int(row["id"]) for row in csv.DictReader(io.StringIO(text))]
    assert exported == sorted((job.id for job in jobs if matches(job, wanted, caller)), reverse=True)


@settings(max_examples=100, deadline=None, database=None)
@given(wanted=filters, limit=st.sampled_from([1, 30, JOBS]), near=st.sampled_from([1, 20, 4000]))
def test_the_first_ids_are_what_a_plain_filter_finds(
    crowd: Connection, jobs: Everything, wanted: JobFilter, limit: int, near: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lists, "NEAR", near)
        found = lists.list_ids(crowd, OPERATOR, wanted, limit=limit)
    assert found == sorted(job.id for job in jobs if matches(job, wanted, OPERATOR))[:limit]


def test_a_walk_neither_skips_nor_repeats_while_jobs_come_go_and_settle(conn: Connection) -> None:
    rng = random.Random(7)
    conn.execute(INSERT.encode(), {"jobs": JOBS})
    stay = {job_id for (job_id,) in conn.execute("SELECT id FROM jobs WHERE id % 3 > 0").fetchall()}
    for sort in Sort:
        seen: list[int] = []
        for page in walk(conn, OPERATOR, JobFilter(), PageRequest(limit=37, sort=sort)):
            seen += page
            conn.execute(INSERT.encode(), {"jobs": 5})
            conn.execute("DELETE FROM jobs WHERE id %% 3 = 0 AND id %% 5 = %s", (rng.randrange(5),))
            settle(conn, limit=rng.randrange(1, 20), patience_seconds=0)
            conn.execute("UPDATE jobs SET settled = false WHERE id %% 7 = %s", (rng.randrange(7),))
        assert len(seen) == len(set(seen)), sort
        assert stay <= set(seen), sort


# ── what a list reads ───────────────────────────────────────────────────────────────────────────────────────────────

MANY = 200_000
OLD = 2_000


@pytest.fixture(scope="module")
def many(servers: Servers) -> Generator[Connection]:
    """Many jobs at rest: old ones of a kind of their own, a needle, and a tenth that is newest and still waits."""
    with fresh_database(servers) as url, psycopg.connect(url, autocommit=True) as conn:
        conn.execute("SET synchronous_commit = on")  # until it is on the disk, VACUUM takes no row for visible to all
        conn.execute(
            """
            INSERT INTO jobs (owner_id, name, description, task_type, task_data, queue, priority, schedule_id, status,
                              scheduled_at, created_at, attempt, run, picked_at, started_at, completed_at, error,
                              settled)
            SELECT n %% 2, CASE WHEN n = 777 THEN 'needle' WHEN n / 100 %% 10 = 3 THEN 'straw' ELSE 'hay' END,
                   CASE WHEN n <= %(many)s * 0.87 THEN 'grass' END,
                   CASE WHEN n < %(old)s THEN 'old' WHEN n %% 50000 = 9 THEN 'rare' WHEN n %% 9 = 8 THEN 'urgent'
                        WHEN n %% 4 = 1 THEN 'apart' ELSE 'note' END,
                   jsonb_build_object('user', 'user' || n %% 5003), (ARRAY['default', 'mail'])[1 + n %% 2], 1 + n %% 9,
                   CASE WHEN n %% 100 = 1 THEN 7 END, status,
                   now() + (n - %(many)s) * interval '1 s'
                   + CASE status WHEN 'pending' THEN interval '9 days' ELSE '0' END,
                   now() + (n - %(many)s) * interval '1 s',
                   has_run, has_run, ran_at, ran_at, ran_at, CASE status WHEN 'failed' THEN '{}'::jsonb END, true
            FROM (SELECT n, status, (status <> 'pending')::int AS has_run,
                         CASE WHEN status <> 'pending' THEN now() END AS ran_at
                  FROM generate_series(1, %(many)s) AS n
                  CROSS JOIN LATERAL (SELECT (CASE
                      WHEN n > %(many)s * 0.9 THEN 'pending' WHEN n %% 100 = 0 THEN 'failed'
                      WHEN n %% 100 = 50 THEN 'cancelled' ELSE 'completed' END)::job_status AS status) AS each)
                  AS jobs""",
            {"many": MANY, "old": OLD},
        )
        conn.execute("VACUUM (ANALYZE) jobs")
        yield conn


@pytest.mark.parametrize("sort", [Sort.ID_DOWN, Sort.SCHEDULED_AT, Sort.PRIORITY_DOWN])
@pytest.mark.parametrize(
    "wanted",
    [
        JobFilter(),
        *[JobFilter(statuses=(status,)) for status in JobStatus],
        JobFilter(task_type="note"),
        JobFilter(task_type="rare"),
        JobFilter(task_type="none"),
        JobFilter(queue="mail"),
        JobFilter(priority=9),
        JobFilter(schedule_id=1),
        JobFilter(search="needle"),
        JobFilter(search="hay"),
        JobFilter(search="absent"),
        JobFilter(search="z"),
        JobFilter(statuses=(JobStatus.FAILED,), search="needle"),
        JobFilter(statuses=(JobStatus.COMPLETED,), queue="mail", task_type="note"),
        JobFilter(statuses=(JobStatus.PENDING,), task_type="rare"),
        JobFilter(task_type="apart", queue="default"),  # both frequent, and none is both
    ],
    ids=repr,
)
def test_a_list_reads_its_page_and_little_more(many: Connection, wanted: JobFilter, sort: Sort) -> None:
    read = read_by(many, lambda: list_jobs(many, OPERATOR, wanted, PageRequest(sort=sort)))
    statuses = 4
    assert read <= statuses * (lists.NEAR + 2 * totals.SAMPLE) + EXACT_COUNT + 2_000


@pytest.mark.parametrize(
    "wanted",
    [
        JobFilter(task_type="old"),
        JobFilter(task_type="rare", queue="mail"),
        JobFilter(search="needle"),
        JobFilter(search="absent", priority=1),
    ],
    ids=repr,
)
def test_few_jobs_to_do_something_to_are_found_by_the_same_indexes(many: Connection, wanted: JobFilter) -> None:
    read = read_by(many, lambda: bulk.select(many, OPERATOR, wanted, {JobStatus.FAILED}))
    assert read <= 4 * lists.NEAR + EXACT_COUNT


@pytest.mark.parametrize("sort", [Sort.ID_DOWN, Sort.SCHEDULED_AT, Sort.PRIORITY_DOWN])
def test_a_queue_of_others_is_looked_through_without_a_look_at_what_is_in_it(many: Connection, sort: Sort) -> None:
    """All in the queue and all of the owner's are 100,000 each, and none is both."""
    caller, wanted = Caller(owner_id=1), JobFilter(queue="default")
    read = read_by(many, lambda: list_jobs(many, caller, wanted, PageRequest(sort=sort)))
    assert read <= 4 * (lists.NEAR + 2 * totals.SAMPLE) + 500


def test_old_matches_are_found_without_a_look_at_the_new(many: Connection) -> None:
    assert read_by(many, lambda: list_jobs(many, OPERATOR, JobFilter(task_type="old"), PageRequest())) <= OLD + 500


def test_a_frequent_word_among_few_failures_is_found_without_a_look_at_all_of_either(many: Connection) -> None:
    """All with the word are 20,000, all failures 1,800, both are 180, and as many were cancelled."""
    wanted = JobFilter(statuses=(JobStatus.FAILED,), search="straw")
    read = read_by(many, lambda: list_jobs(many, OPERATOR, wanted, PageRequest()))
    assert read <= 2 * totals.SAMPLE + 180 + 100


def test_a_frequent_word_in_a_short_time_is_looked_for_in_that_time_alone(many: Connection) -> None:
    """All with the word are 20,000, all of that time 2,000."""
    since = datetime.now(UTC) - timedelta(seconds=MANY / 2)
    wanted = JobFilter(search="straw", scheduled_from=since, scheduled_before=since + timedelta(seconds=2_000))
    read = read_by(many, lambda: list_jobs(many, OPERATOR, wanted, PageRequest()))
    assert read <= 2_000 + 4 * 2 * totals.SAMPLE + 500


def test_a_word_that_no_new_job_has_is_found_among_the_old_without_a_look_at_all_that_have_it(many: Connection) -> None:
    """Of those completed, the newest 6,000 lack it, and 170,000 have it."""
    wanted = JobFilter(search="grass", statuses=(JobStatus.COMPLETED,))
    found: list[int] = []

    def walk(*arguments: Any) -> tuple[set[Place], list[Any]]:
        places, ends = real_walk(*arguments)
        found.append(len(places))
        return places, ends

    real_walk = lists._walk  # pyright: ignore[reportPrivateUsage] - what it brings is held in memory
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lists, "_walk", walk)
        read = read_by(many, lambda: list_jobs(many, OPERATOR, wanted, PageRequest(limit=200)))
    assert read <= 0.3 * MANY
    assert max(found) <= 201


def test_a_word_is_looked_up_by_what_tells_it_from_others(many: Connection) -> None:
    blocks = "SELECT idx_blks_read + idx_blks_hit FROM pg_statio_user_indexes WHERE indexrelname = 'jobs_by_text'"
    before = statistic(many, blocks)
    page = list_jobs(many, OPERATOR, JobFilter(search="user4711"), PageRequest())
    assert page.total == 40
    assert statistic(many, blocks) - before <= 50  # by all of its trigrams 160: two are in every text


@pytest.mark.parametrize(
    ("search", "pattern"),
    [
        ("user4711", "%er4711%"),
        ("USER4711", "%ER4711%"),
        ("absent words", "%absent%words%"),
        ("user", "%user%"),
        ("absent 7", "%absent% 7%"),
        ("a user_ absent", r"%a user\_ %absent%"),
        ("Üser4711", "%Üser4711%"),
        ("50 %", r"%50 \%%"),
    ],
)
def test_the_telling_part_of_a_search(many: Connection, search: str, pattern: str) -> None:
    assert telling_pattern(many, search) == pattern


def test_jobs_of_a_schedule_are_put_in_any_order_without_a_look_at_their_rows(many: Connection) -> None:
    page, fetched = fetched_by(many, OPERATOR, JobFilter(schedule_id=7))
    assert page.total == MANY // 100
    assert fetched <= 1_000


@pytest.mark.parametrize(
    ("caller", "wanted"),
    [
        (OPERATOR, JobFilter(task_type="apart")),
        (OPERATOR, JobFilter(queue="mail")),
        (Caller(owner_id=0), JobFilter()),
    ],
    ids=["task type", "queue", "owner"],
)
def test_a_kind_in_a_range_is_put_in_any_order_without_a_look_at_its_rows(
    many: Connection, caller: Caller, wanted: JobFilter
) -> None:
    since = datetime.now(UTC) - timedelta(seconds=MANY / 2)
    wanted = replace(wanted, scheduled_from=since, scheduled_before=since + timedelta(seconds=9_000))
    page, fetched = fetched_by(many, caller, wanted)
    assert 1_900 <= page.total <= 9_000
    assert fetched <= 1_300


def test_what_an_index_alone_gathers_is_not_walked_to_for_long(many: Connection) -> None:
    """All that are urgent have one priority, the last in this order; most of the rows fetched are for the total."""
    wanted = JobFilter(task_type="urgent", scheduled_from=datetime.now(UTC) - timedelta(seconds=MANY - 2 * OLD))
    page, fetched = fetched_by(many, OPERATOR, wanted)
    assert page.total > EXACT_COUNT
    assert {job.priority for job in page.items} == {9}
    assert fetched <= 4 * 2 * totals.SAMPLE + 1_000


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (JobFilter(schedule_id=7), True),
        (JobFilter(schedule_id=7, priority=3), False),  # the index has it, and others that do not match as well
        (JobFilter(search="needle"), False),
    ],
)
def test_whether_an_index_alone_gathers_the_matches(many: Connection, wanted: JobFilter, expected: bool) -> None:
    listing = Listing.of(OPERATOR, wanted, PageRequest(sort=Sort.PRIORITY))
    assert totals.foresee_matches(many, listing).by_index_alone is expected


def fetched_by(conn: Connection, caller: Caller, wanted: JobFilter) -> tuple[Page[Job], int]:
    """The first page by priority, and how many rows of `jobs` themselves were looked at for it."""
    rows = "SELECT idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'jobs'"
    before = statistic(conn, rows)
    page = list_jobs(conn, caller, wanted, PageRequest(sort=Sort.PRIORITY))
    return page, statistic(conn, rows) - before


def read_by(conn: Connection, call: Callable[[], object]) -> int:
    """How many index entries and rows in sequence of `jobs` this reads."""
    before = statistic(conn, READ)
    call()
    return statistic(conn, READ) - before


READ: Final = """
    SELECT (SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'jobs')
         + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'jobs')"""


def statistic(conn: Connection, query: LiteralString) -> int:
    """What PostgreSQL has counted so far."""
    conn.execute("SELECT pg_stat_force_next_flush()")
    row = conn.execute(query).fetchone()
    assert row is not None
    return int(row[0])
