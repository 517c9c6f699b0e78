-- What holds queues back, and who is at work.

-- Only queues that somebody paused or limited have a row.
CREATE TABLE queue_controls (
    name         text PRIMARY KEY,
    paused       boolean NOT NULL DEFAULT false,
    max_running  integer CHECK (max_running >= 1),
    rate_count   integer CHECK (rate_count >= 1),
    rate_seconds double precision CHECK (rate_seconds > 0 AND rate_seconds < 'infinity'),
    held         boolean NOT NULL GENERATED ALWAYS AS (paused OR max_running IS NOT NULL OR rate_count IS NOT NULL) STORED,

    CONSTRAINT rate_is_whole CHECK ((rate_count IS NULL) = (rate_seconds IS NULL))
);

-- What was claimed of queues with a rate, as long as it counts.
CREATE TABLE queue_claims (
    queue text NOT NULL,
    at    timestamptz NOT NULL,
    jobs  integer NOT NULL
);
CREATE INDEX queue_claims_queue ON queue_claims (queue, at);

-- Attempts that ended, by five minutes and queue (store/rollup.py).
CREATE TABLE queue_slots (
    slot     timestamptz NOT NULL,
    owner_id bigint NOT NULL,
    queue    text NOT NULL,
    status   execution_status NOT NULL,
    attempts bigint NOT NULL,
    PRIMARY KEY (slot, owner_id, queue, status)
);

-- Pickers and executors that say every few seconds that they live.
CREATE TABLE workers (
    name       text PRIMARY KEY,
    kind       text NOT NULL CHECK (kind IN ('picker', 'executor')),
    host       text NOT NULL,
    pid        integer NOT NULL,
    version    text NOT NULL,
    queues     text[] NOT NULL,  -- empty: every queue
    capacity   integer,          -- a picker has none
    started_at timestamptz NOT NULL DEFAULT now(),
    seen_at    timestamptz NOT NULL DEFAULT now()
);
