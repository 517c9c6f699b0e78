-- migrate: no-transaction
-- The jobs of a queue in a range of dates, in any order, read from the index alone: they are tens of thousands, and lie all over
-- the table. It takes the place of jobs_by_queue_scheduled_at.
CREATE INDEX CONCURRENTLY jobs_of_queues ON jobs (settled_as, queue, scheduled_at, settled_id)
    INCLUDE (created_at, priority) WHERE settled_as IS NOT NULL;
