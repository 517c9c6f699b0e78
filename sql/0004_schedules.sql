-- Recurring schedules. A picker turns each occurrence of one into a job.

CREATE TYPE misfire_policy AS ENUM ('run_once', 'run_all', 'skip');
CREATE TYPE overlap_policy AS ENUM ('allow', 'skip');

CREATE TABLE schedules (
    id                      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner_id                bigint NOT NULL DEFAULT 0,

    -- when
    cron                    text NOT NULL,
    timezone                text NOT NULL,
    starts_at               timestamptz,
    ends_at                 timestamptz,
    misfire                 misfire_policy NOT NULL,
    overlap                 overlap_policy NOT NULL,
    jitter_seconds          double precision NOT NULL,

    -- what: copied into each job, in columns of the same names
    name                    text NOT NULL,
    task_type               text NOT NULL,
    task_data               jsonb NOT NULL,
    queue                   text NOT NULL,
    priority                smallint NOT NULL,
    max_attempts            smallint NOT NULL,
    timeout_seconds         double precision NOT NULL,
    retry_backoff           retry_backoff NOT NULL,
    retry_delay_seconds     double precision NOT NULL,
    retry_max_delay_seconds double precision NOT NULL,
    retry_jitter            boolean NOT NULL,
    concurrency_key         text,

    -- how far it has come
    enabled                 boolean NOT NULL,
    next_at                 timestamptz,  -- the first occurrence that has no job yet
    make_at                 timestamptz,  -- when its job is made: a little ahead, or on time where that depends on others

    created_at              timestamptz NOT NULL DEFAULT now(),
    updated_at              timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT paused_makes_nothing CHECK (enabled OR next_at IS NULL),
    CONSTRAINT next_is_made_at_some_time CHECK ((next_at IS NULL) = (make_at IS NULL)),
    CONSTRAINT ends_after_it_starts CHECK (ends_at >= starts_at),
    CONSTRAINT jitter_is_sane CHECK (jitter_seconds >= 0 AND jitter_seconds < 'infinity'),
    CONSTRAINT task_data_is_an_object CHECK (jsonb_typeof(task_data) = 'object')
) WITH (fillfactor = 80);

-- A picker looks at the first entry; what is not due, paused or over costs it nothing.
CREATE INDEX schedules_due ON schedules (make_at) WHERE make_at IS NOT NULL;

-- One occurrence makes one job, whoever tries.
ALTER TABLE jobs
    ADD COLUMN occurrence_at timestamptz,
    ADD CONSTRAINT occurrence_is_of_a_schedule CHECK (occurrence_at IS NULL OR schedule_id IS NOT NULL);
CREATE UNIQUE INDEX jobs_occurrence ON jobs (schedule_id, occurrence_at) WHERE occurrence_at IS NOT NULL;

-- The unfinished jobs of a schedule: few, however many it has made.
CREATE INDEX jobs_of_schedule ON jobs (schedule_id) WHERE schedule_id IS NOT NULL AND completed_at IS NULL;
