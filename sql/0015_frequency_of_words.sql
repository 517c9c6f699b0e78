-- How frequent a word is among jobs: PostgreSQL takes each for rare without, and reads all jobs with it, all over the
-- table, rather than the few of a week.
CREATE STATISTICS jobs_text ON (searchable(name, description, task_type, task_data)) FROM jobs;
