-- Jobs and the record of every attempt at them.

CREATE TYPE job_status AS ENUM ('pending', 'picked', 'running', 'completed', 'failed', 'cancelled');
CREATE TYPE execution_status AS ENUM ('completed', 'failed', 'timed_out', 'cancelled', 'lost');
CREATE TYPE retry_backoff AS ENUM ('exponential', 'linear', 'fixed');

CREATE TABLE jobs (
    id                      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner_id                bigint NOT NULL DEFAULT 0,  -- 0: whoever runs the machine
    name                    text,
    description             text,
    task_type               text NOT NULL,
    task_data               jsonb NOT NULL,

    status                  job_status NOT NULL DEFAULT 'pending',
    queue                   text NOT NULL DEFAULT 'default',
    priority                smallint NOT NULL DEFAULT 5,
    scheduled_at            timestamptz NOT NULL DEFAULT now(),
    next_run_at             timestamptz NOT NULL DEFAULT now(),
    expires_at              timestamptz,

    attempt                 smallint NOT NULL DEFAULT 0,
    max_attempts            smallint NOT NULL DEFAULT 3,
    run                     integer NOT NULL DEFAULT 0,  -- every start there ever was: the fence; attempt begins again on a user's retry
    timeout_seconds         double precision NOT NULL DEFAULT 30,
    retry_backoff           retry_backoff NOT NULL DEFAULT 'exponential',
    retry_delay_seconds     double precision NOT NULL DEFAULT 5,
    retry_max_delay_seconds double precision NOT NULL DEFAULT 3600,
    retry_jitter            boolean NOT NULL DEFAULT true,

    unique_key              text,
    concurrency_key         text,
    schedule_id             bigint,
    template_id             bigint,
    duplicated_from         bigint,

    created_at              timestamptz NOT NULL DEFAULT now(),
    updated_at              timestamptz NOT NULL DEFAULT now(),
    picked_at               timestamptz,
    started_at              timestamptz,
    completed_at            timestamptz,  -- when it ended, in whichever way
    lease_until             timestamptz,  -- who holds a picked or running job extends it; once it is past, anyone may rescue the job
    worker                  text,

    result                  jsonb,
    error                   jsonb,
    progress                jsonb,

    CONSTRAINT pending_is_untouched CHECK ((status = 'pending') = (picked_at IS NULL AND completed_at IS NULL)),
    CONSTRAINT live_has_a_lease CHECK ((status IN ('picked', 'running')) = (lease_until IS NOT NULL)),
    CONSTRAINT live_was_picked CHECK (status NOT IN ('picked', 'running') OR picked_at IS NOT NULL),
    CONSTRAINT ended_has_an_end CHECK ((status IN ('completed', 'failed', 'cancelled')) = (completed_at IS NOT NULL)),
    CONSTRAINT running_has_started CHECK (status <> 'running' OR (started_at IS NOT NULL AND worker IS NOT NULL AND attempt >= 1)),
    CONSTRAINT completed_has_run CHECK (status <> 'completed' OR (started_at IS NOT NULL AND attempt >= 1 AND error IS NULL)),
    CONSTRAINT failed_says_why CHECK (status <> 'failed' OR error IS NOT NULL),
    CONSTRAINT result_only_when_completed CHECK (result IS NULL OR status = 'completed'),
    CONSTRAINT attempts_are_bounded CHECK (max_attempts BETWEEN 1 AND 100 AND attempt BETWEEN 0 AND max_attempts AND run >= attempt),
    CONSTRAINT waiting_has_an_attempt_left CHECK (status NOT IN ('pending', 'picked') OR attempt < max_attempts),
    CONSTRAINT priority_is_known CHECK (priority BETWEEN 1 AND 9),
    CONSTRAINT queue_is_named CHECK (  -- judged at every move: a regular expression would take as long as all the others
        length(queue) BETWEEN 1 AND 64 AND ltrim(queue, 'abcdefghijklmnopqrstuvwxyz0123456789_-') = ''),
    CONSTRAINT timeout_is_positive CHECK (timeout_seconds > 0 AND timeout_seconds < 'infinity'),
    CONSTRAINT retry_is_sane CHECK (retry_delay_seconds >= 0 AND retry_delay_seconds < 'infinity'
                              AND retry_max_delay_seconds >= 0 AND retry_max_delay_seconds < 'infinity'),
    CONSTRAINT task_data_is_an_object CHECK (jsonb_typeof(task_data) = 'object'),
    CONSTRAINT error_is_an_object CHECK (error IS NULL OR jsonb_typeof(error) = 'object')
) WITH (
    fillfactor = 70,  -- room on the page for the versions of a life: picked -> running then touches no index
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.02
);

-- No index names `status`: PostgreSQL would then have to write every index again at every move.
-- "pending" is spelt as the CHECK above defines it: picked_at IS NULL AND completed_at IS NULL.

-- Due jobs: a claim probes one short range a priority, so a million jobs scheduled ahead cost it nothing.
CREATE INDEX jobs_due ON jobs (queue, priority, next_run_at, id)
    WHERE picked_at IS NULL AND completed_at IS NULL AND concurrency_key IS NULL;

-- The same for jobs that exclude each other: one entry of each key tells when it is next due, and a claim looks at
-- the first of each due key only. No other job pays for these two.
CREATE INDEX jobs_keys ON jobs (queue, owner_id, concurrency_key, next_run_at)
    WHERE picked_at IS NULL AND completed_at IS NULL AND concurrency_key IS NOT NULL;
CREATE INDEX jobs_due_keyed ON jobs (queue, owner_id, concurrency_key, priority, next_run_at, id)
    WHERE picked_at IS NULL AND completed_at IS NULL AND concurrency_key IS NOT NULL;

-- Live leases, soonest to run out first; as small as the work in hand.
CREATE INDEX jobs_leased ON jobs (lease_until) WHERE lease_until IS NOT NULL;

CREATE INDEX jobs_expiring ON jobs (expires_at)
    WHERE picked_at IS NULL AND completed_at IS NULL AND expires_at IS NOT NULL;

-- At most one unfinished job of an owner bears a unique_key; at most one live job a concurrency_key.
CREATE UNIQUE INDEX jobs_unique_key ON jobs (owner_id, unique_key)
    WHERE unique_key IS NOT NULL AND completed_at IS NULL;
CREATE UNIQUE INDEX jobs_concurrency_key ON jobs (owner_id, concurrency_key)
    WHERE concurrency_key IS NOT NULL AND lease_until IS NOT NULL;

-- One row for every attempt that has ended. No foreign key: its check would lock the job's row once more
-- for each record; whatever removes a job removes its records in the same transaction.
CREATE TABLE executions (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id      bigint NOT NULL,
    run         integer NOT NULL,
    attempt     smallint NOT NULL,
    status      execution_status NOT NULL,
    started_at  timestamptz NOT NULL,
    finished_at timestamptz NOT NULL,
    duration_ms double precision NOT NULL,
    worker      text NOT NULL,
    result      jsonb,
    error       jsonb,
    logs        jsonb NOT NULL DEFAULT '[]',

    CONSTRAINT attempt_counts_from_one CHECK (attempt >= 1 AND run >= attempt),
    CONSTRAINT ends_after_it_starts CHECK (finished_at >= started_at AND duration_ms >= 0),
    CONSTRAINT completed_has_no_error CHECK ((status = 'completed') = (error IS NULL))
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);

-- A run of a job is recorded once, whoever comes first: the executor, a user who cancels, or a rescue.
CREATE UNIQUE INDEX executions_run ON executions (job_id, run);
