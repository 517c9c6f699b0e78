-- migrate: no-transaction
-- migrate: only with pg_trgm
-- A word among failed or cancelled jobs, where people look for it most: they are few, and the word may be frequent, so the trigrams of
-- all jobs would have each of them read. Only a job that ends so pays for this.
CREATE INDEX CONCURRENTLY jobs_by_text_of_failures ON jobs
    USING gin (searchable(name, description, task_type, task_data) gin_trgm_ops)
    WHERE settled_as IN ('failed', 'cancelled');
