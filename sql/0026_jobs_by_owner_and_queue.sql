-- migrate: no-transaction
-- An owner and a queue that are each frequent and never meet, as where somebody looks through a queue of others: without this, all jobs of
-- both are gathered.
CREATE INDEX CONCURRENTLY jobs_by_owner_and_queue ON jobs (settled_as, owner_id, queue, settled_id)
    WHERE settled_as IS NOT NULL;
