-- Lists of a range of dates, in every order: a range is whole days, and each day of each status has its own order.
-- `scheduled_at` is in them for the days that a range has a part of, so that no row is looked at.
CREATE INDEX jobs_by_day ON jobs (settled_as, ((scheduled_at AT TIME ZONE 'UTC')::date), settled_id)
    INCLUDE (scheduled_at) WHERE settled_as IS NOT NULL;
CREATE INDEX jobs_by_day_created_at ON jobs
    (settled_as, ((scheduled_at AT TIME ZONE 'UTC')::date), created_at, settled_id)
    INCLUDE (scheduled_at) WHERE settled_as IS NOT NULL;
CREATE INDEX jobs_by_day_priority ON jobs (settled_as, ((scheduled_at AT TIME ZONE 'UTC')::date), priority, settled_id)
    INCLUDE (scheduled_at) WHERE settled_as IS NOT NULL;
