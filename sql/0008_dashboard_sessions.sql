-- What a browser's cookie stands for: a log-in of its own, apart from the tokens of the API, and over with it.
CREATE TABLE dashboard_sessions (
    hash       bytea PRIMARY KEY,  -- SHA-256 of the cookie
    session_id bigint NOT NULL UNIQUE REFERENCES sessions ON DELETE CASCADE
);
