-- migrate: no-transaction
-- The jobs of a schedule in any order, read from the index alone: they are thousands, and lie all over the table. It takes the place of
-- jobs_by_schedule.
CREATE INDEX CONCURRENTLY jobs_of_schedules ON jobs (settled_as, schedule_id, settled_id)
    INCLUDE (scheduled_at, created_at, priority, owner_id) WHERE settled_as IS NOT NULL AND schedule_id IS NOT NULL;
