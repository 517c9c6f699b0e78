-- Accounts, the log-ins and keys that speak for them, and the audit of what they did.

CREATE TYPE account_role AS ENUM ('viewer', 'user', 'admin');
CREATE TYPE key_scope AS ENUM ('read', 'write');

-- owner_id everywhere else is an id from here, or 0. No foreign key: what an account owned outlives it, for admins to see.
CREATE TABLE accounts (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email         text NOT NULL UNIQUE,
    password_hash text NOT NULL,  -- argon2id, with its parameters and salt
    role          account_role NOT NULL,
    active        boolean NOT NULL DEFAULT true,
    first_name    text,
    last_name     text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT email_is_in_lower_case CHECK (email = lower(email))
);

-- A log-in. Its refresh tokens follow each other; once it is revoked, none of its tokens is good for anything.
CREATE TABLE sessions (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner_id   bigint NOT NULL REFERENCES accounts ON DELETE CASCADE,
    address    text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX sessions_owner ON sessions (owner_id);
CREATE INDEX sessions_expires_at ON sessions (expires_at);

-- Access tokens are good for minutes, so the APIs need to know those only that were revoked a moment ago. Apart from the
-- sessions, since tokens outlive a deleted account, too.
CREATE TABLE revocations (
    session_id bigint PRIMARY KEY,
    revoked_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX revocations_revoked_at ON revocations (revoked_at);

CREATE FUNCTION note_revocation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO revocations (session_id) VALUES (old.id) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE TRIGGER revoked AFTER UPDATE OF revoked_at ON sessions
    FOR EACH ROW WHEN (old.revoked_at IS NULL AND new.revoked_at IS NOT NULL) EXECUTE FUNCTION note_revocation();
CREATE TRIGGER deleted AFTER DELETE ON sessions
    FOR EACH ROW WHEN (old.revoked_at IS NULL) EXECUTE FUNCTION note_revocation();

-- The spent ones are kept as long as their session: who shows one again has stolen it, or was stolen from.
CREATE TABLE refresh_tokens (
    hash       bytea PRIMARY KEY,  -- SHA-256: they are random, so nothing slower is needed
    session_id bigint NOT NULL REFERENCES sessions ON DELETE CASCADE,
    spent_at   timestamptz
);
CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id);

CREATE TABLE api_keys (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner_id     bigint NOT NULL REFERENCES accounts ON DELETE CASCADE,
    name         text NOT NULL,
    prefix       text NOT NULL UNIQUE,
    hash         bytea NOT NULL,  -- SHA-256 of the whole key
    scope        key_scope NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    last_used_at timestamptz  -- to the minute
);
CREATE INDEX api_keys_owner ON api_keys (owner_id);

-- Log-ins that came to nothing, or are under way, whether the account exists or not.
CREATE TABLE login_failures (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email   text NOT NULL,
    address text NOT NULL,
    at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX login_failures_email ON login_failures (email, at);
CREATE INDEX login_failures_at ON login_failures (at);

-- Who did what to which thing, from where. An entry tells its actor's e-mail as it was: accounts come and go.
CREATE TABLE audit_entries (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT now(),
    account_id  bigint,  -- unknown where a log-in was refused
    actor       text NOT NULL,
    action      text NOT NULL,
    object_type text NOT NULL,
    object_id   bigint,
    address     text,
    request_id  text,
    before      jsonb,
    after       jsonb
);
CREATE INDEX audit_entries_account ON audit_entries (account_id, id);
CREATE INDEX audit_entries_object ON audit_entries (object_type, object_id, id);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_entries is append-only';
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
