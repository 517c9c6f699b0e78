-- Two filters that are each frequent and never meet: without these, all jobs of one are looked at for the other.
CREATE INDEX jobs_by_task_type_and_queue ON jobs (settled_as, task_type, queue, settled_id) WHERE settled_as IS NOT NULL;
CREATE INDEX jobs_by_owner_and_task_type ON jobs (settled_as, owner_id, task_type, settled_id)
    WHERE settled_as IS NOT NULL;
