-- Lists of a range of dates, in every order: a range is whole days, and each day of each status has its own order.
-- `scheduled_at` is in them for the days that a range has a part of, so that no row is looked at.
CREATE INDEX jobs_by_day ON jobs (settled_as, ((scheduled_at AT TIME ZONE 'UTC')::date), settled_id)
    INCLUDE (scheduled_at) WHERE settled_as IS NOT NULL;
CREATE INDEX jobs_by_day_created_at ON jobs
    (settled_as, ((scheduled_at AT TIME ZONE 'UTC')::date), created_at, settled_id)
    INCLUDE (scheduled_at) WHERE settled_as IS NOT NULL;
CREATE INDEX jobs_by_day_priority ON jobs (settled_as, ((scheduled_at AT TIME ZONE 'UTC')::date), priority, settled_id)
    INCLUDE (scheduled_at) WHERE settled_as IS NOT NULL;

-- Lists of one kind of job in every other order than that of ids: a kind may be far from the start of all.
CREATE INDEX jobs_by_task_type_scheduled_at ON jobs (settled_as, task_type, scheduled_at, settled_id)
    WHERE settled_as IS NOT NULL;
CREATE INDEX jobs_by_task_type_created_at ON jobs (settled_as, task_type, created_at, settled_id)
    WHERE settled_as IS NOT NULL;
CREATE INDEX jobs_by_task_type_priority ON jobs (settled_as, task_type, priority, settled_id)
    WHERE settled_as IS NOT NULL;
CREATE INDEX jobs_by_queue_scheduled_at ON jobs (settled_as, queue, scheduled_at, settled_id)
    WHERE settled_as IS NOT NULL;
CREATE INDEX jobs_by_queue_created_at ON jobs (settled_as, queue, created_at, settled_id)
    WHERE settled_as IS NOT NULL;
CREATE INDEX jobs_by_queue_priority ON jobs (settled_as, queue, priority, settled_id)
    WHERE settled_as IS NOT NULL;
CREATE INDEX jobs_by_owner_scheduled_at ON jobs (settled_as, owner_id, scheduled_at, settled_id)
    WHERE settled_as IS NOT NULL;
CREATE INDEX jobs_by_owner_created_at ON jobs (settled_as, owner_id, created_at, settled_id)
    WHERE settled_as IS NOT NULL;
CREATE INDEX jobs_by_owner_priority ON jobs (settled_as, owner_id, priority, settled_id)
    WHERE settled_as IS NOT NULL;
