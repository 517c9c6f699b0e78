-- The name of a queue is judged while its job waits, since only then can it change: judged at every move, it took as long
-- as to write an index. Its rows were all judged by the stricter constraint before, so there is nothing to validate.
ALTER TABLE jobs
    DROP CONSTRAINT queue_is_named,
    ADD CONSTRAINT queue_is_named CHECK (
        picked_at IS NOT NULL
        OR length(queue) BETWEEN 1 AND 64 AND ltrim(queue, 'abcdefghijklmnopqrstuvwxyz0123456789_-') = '') NOT VALID;
