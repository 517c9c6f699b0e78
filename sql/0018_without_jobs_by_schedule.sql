-- migrate: no-transaction
-- jobs_of_schedules has all that it had.
DROP INDEX CONCURRENTLY jobs_by_schedule;
