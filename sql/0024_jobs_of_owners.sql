-- migrate: no-transaction
-- The jobs of an owner in a range of dates, in any order, read from the index alone: they are tens of thousands, and lie all over
-- the table. It takes the place of jobs_by_owner_scheduled_at.
CREATE INDEX CONCURRENTLY jobs_of_owners ON jobs (settled_as, owner_id, scheduled_at, settled_id)
    INCLUDE (created_at, priority) WHERE settled_as IS NOT NULL;
