-- The answers to requests that created something, by the key that their client gave them.

CREATE TABLE idempotency_keys (
    owner_id    bigint NOT NULL,
    key         text NOT NULL,
    fingerprint bytea NOT NULL,  -- of what was asked for
    created_at  timestamptz NOT NULL DEFAULT now(),

    -- The answer. Nobody sees a row without one: it is written by the transaction that makes the row.
    status      smallint,
    location    text,
    body        text,

    PRIMARY KEY (owner_id, key)
);

CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);
