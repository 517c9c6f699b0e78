-- Lists, search and statistics at any size: what jobs are found and counted by, once they are at rest.

-- A job that has ended, or that waits for a later time, is settled soon after by the monitor (docs/adr/0012): that is
-- when it enters the indexes below. A job on its way through claim, start and completion is in none of them and pays
-- for none of them. `settled_as` and `settled_id` are its status and id as these indexes name them: the first is NULL
-- and does not change while a job is not settled, so that a start stays a HOT update; the second is in no other index,
-- so that the planner cannot take the primary key's order for a list's, and read all of it for few matches.
ALTER TABLE jobs
    ADD COLUMN settled boolean NOT NULL DEFAULT false,
    ADD COLUMN settled_as job_status GENERATED ALWAYS AS (CASE WHEN settled THEN status END) STORED,
    ADD COLUMN settled_id bigint GENERATED ALWAYS AS (CASE WHEN settled THEN id END) STORED;

ALTER TABLE jobs ADD CONSTRAINT live_is_unsettled CHECK (lease_until IS NULL OR NOT settled);

-- Those yet to be settled. With the live ones (jobs_leased) they are all that the indexes below do not know.
CREATE INDEX jobs_unsettled ON jobs (id) WHERE lease_until IS NULL AND NOT settled;

-- Every order of a list, for each status.
CREATE INDEX jobs_by_id ON jobs (settled_as, settled_id) WHERE settled_as IS NOT NULL;
CREATE INDEX jobs_by_scheduled_at ON jobs (settled_as, scheduled_at, settled_id) WHERE settled_as IS NOT NULL;
CREATE INDEX jobs_by_created_at ON jobs (settled_as, created_at, settled_id) WHERE settled_as IS NOT NULL;
CREATE INDEX jobs_by_priority ON jobs (settled_as, priority, settled_id) WHERE settled_as IS NOT NULL;

-- Filters that may match few jobs.
CREATE INDEX jobs_by_task_type ON jobs (settled_as, task_type, settled_id) WHERE settled_as IS NOT NULL;
CREATE INDEX jobs_by_queue ON jobs (settled_as, queue, settled_id) WHERE settled_as IS NOT NULL;
CREATE INDEX jobs_by_owner ON jobs (settled_as, owner_id, settled_id) WHERE settled_as IS NOT NULL;
CREATE INDEX jobs_by_schedule ON jobs (settled_as, schedule_id, settled_id)
    WHERE settled_as IS NOT NULL AND schedule_id IS NOT NULL;

-- Search: trigrams of all the text that a job has, unit separators between its fields.
CREATE FUNCTION searchable(name text, description text, task_type text, task_data jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN coalesce(name, '') || E'\x1f' || coalesce(description, '') || E'\x1f' || task_type || E'\x1f' || task_data::text;

-- The extension wants the right to create in the database, which a migration must do without. Search is right without
-- the index, too, and slow among millions: whoever may can run these two statements later.
DO $$
BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
    CREATE INDEX jobs_by_text ON jobs USING gin (searchable(name, description, task_type, task_data) gin_trgm_ops)
        WHERE settled_as IS NOT NULL;
EXCEPTION WHEN insufficient_privilege OR feature_not_supported OR undefined_file THEN
    RAISE WARNING 'search has no index: pg_trgm cannot be created here (%)', SQLERRM;
END $$;

-- How many completed jobs are settled. They stay both, so whoever settles adds, and only a DELETE takes away.
-- The other statuses are few, or have to be counted anew each time.
CREATE TABLE completed_counts (
    owner_id  bigint NOT NULL,
    task_type text NOT NULL,
    jobs      bigint NOT NULL,
    PRIMARY KEY (owner_id, task_type)
) WITH (fillfactor = 50);

CREATE FUNCTION uncount_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO completed_counts AS counts (owner_id, task_type, jobs)
    SELECT owner_id, task_type, -count(*) FROM deleted WHERE settled_as = 'completed'
    GROUP BY owner_id, task_type ORDER BY owner_id, task_type
    ON CONFLICT (owner_id, task_type) DO UPDATE SET jobs = counts.jobs + excluded.jobs;
    RETURN NULL;
END $$;

CREATE TRIGGER uncount_deleted AFTER DELETE ON jobs REFERENCING OLD TABLE AS deleted
    FOR EACH STATEMENT EXECUTE FUNCTION uncount_deleted();

CREATE FUNCTION uncount_all() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM completed_counts;
    RETURN NULL;
END $$;

CREATE TRIGGER uncount_all AFTER TRUNCATE ON jobs FOR EACH STATEMENT EXECUTE FUNCTION uncount_all();

-- Attempts that ended, by five minutes and task type: how many, and how long they waited and took, in buckets of a
-- logarithmic scale (store/rollup.py).
CREATE TABLE attempt_slots (
    slot      timestamptz NOT NULL,
    owner_id  bigint NOT NULL,
    task_type text NOT NULL,
    status    execution_status NOT NULL,
    measure   text NOT NULL CHECK (measure IN ('wait', 'duration')),
    bucket    smallint NOT NULL,
    attempts  bigint NOT NULL,
    PRIMARY KEY (slot, owner_id, task_type, status, measure, bucket)
);

-- How far that is.
CREATE TABLE rollup (
    through          bigint NOT NULL,  -- executions up to this id are in attempt_slots,
    next_through     bigint NOT NULL,  -- and those up to this one can be, once every transaction
    next_is_whole_at xid8 NOT NULL     -- before this one has ended: none is left that could add one among them
);
CREATE UNIQUE INDEX rollup_is_one_row ON rollup ((true));
INSERT INTO rollup VALUES (0, 0, '0');
