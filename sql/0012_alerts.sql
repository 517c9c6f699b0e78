-- What the monitors watch, and the messages about it that are yet to be sent. Monitors share both: one looks for all,
-- and one sends for all.

CREATE TABLE alerts (
    name           text PRIMARY KEY,
    is_firing      boolean NOT NULL DEFAULT false,
    contrary_looks smallint NOT NULL DEFAULT 0,  -- in a row, at what speaks against is_firing
    since          timestamptz,                  -- when it began to fire, this time or the last
    told_at        timestamptz,                  -- the last message about it
    looked_at      timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT firing_since_some_time CHECK (NOT is_firing OR (since IS NOT NULL AND told_at IS NOT NULL))
);

CREATE TABLE alert_messages (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel    text NOT NULL,
    alert      text NOT NULL,
    news       text NOT NULL,
    summary    text NOT NULL,
    since      timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    tries      smallint NOT NULL DEFAULT 0,
    try_at     timestamptz NOT NULL DEFAULT now()  -- who tries moves it ahead: until then nobody else does
);
