-- migrate: no-transaction
-- The jobs of a task type in a range of dates, in any order, read from the index alone: they are tens of thousands, and lie all over
-- the table. It takes the place of jobs_by_task_type_scheduled_at.
CREATE INDEX CONCURRENTLY jobs_of_task_types ON jobs (settled_as, task_type, scheduled_at, settled_id)
    INCLUDE (created_at, priority) WHERE settled_as IS NOT NULL;
