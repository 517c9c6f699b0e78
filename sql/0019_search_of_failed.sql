-- migrate: no-transaction
-- migrate: only with pg_trgm
-- Those that failed alone: among them a frequent word is looked for most, and each cancelled job that has it would be read beside them.
CREATE INDEX CONCURRENTLY jobs_by_text_of_failed ON jobs
    USING gin (searchable(name, description, task_type, task_data) gin_trgm_ops) WHERE settled_as = 'failed';
