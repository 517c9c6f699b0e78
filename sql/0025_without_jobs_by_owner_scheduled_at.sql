-- migrate: no-transaction
-- jobs_of_owners has all that it had. It may be gone: a drop goes on when whoever asked for it was killed.
DROP INDEX CONCURRENTLY IF EXISTS jobs_by_owner_scheduled_at;
