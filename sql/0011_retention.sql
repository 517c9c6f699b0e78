-- migrate: no-transaction
-- Ended jobs, the first to have ended first: what retention reads. Without a lock on the table, however large it is.
CREATE INDEX CONCURRENTLY jobs_ended ON jobs (completed_at) WHERE settled_as IS NOT NULL AND completed_at IS NOT NULL;
