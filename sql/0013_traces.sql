-- The trace that a job belongs to, where somebody follows one: W3C's traceparent.
ALTER TABLE jobs ADD COLUMN traceparent text;
