"""Answers kept under their client's key, so that a request that is sent twice creates once.

A key is reserved in the transaction that creates: a second request with the same key waits for its end, and then
finds either the answer or, when the transaction came to nothing, no key at all.
"""

from dataclasses import dataclass
from typing import Final

from scheduler.domain.caller import Caller
from scheduler.store.connection import Connection, fetch_all, fetch_one

KEPT_SECONDS: Final = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Request:
    """A request that may be sent again: its key, and a digest of what it asks for."""

    key: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What was answered; `body` is JSON text."""

    status: int
    location: str | None
    body: str


class KeyReused(Exception):
    """The key was given to a request that asked for something else."""


_RESERVE: Final = """
    INSERT INTO idempotency_keys AS kept (owner_id, key, fingerprint)
    VALUES (%(owner_id)s, %(key)s, %(fingerprint)s)
    ON CONFLICT (owner_id, key) DO UPDATE SET fingerprint = excluded.fingerprint, created_at = now()
    WHERE kept.created_at < now() - make_interval(secs => %(kept)s)
    RETURNING key"""

_ANSWER: Final = """
    SELECT fingerprint, status, location, body FROM idempotency_keys WHERE owner_id = %(owner_id)s AND key = %(key)s"""


def reserve(conn: Connection, caller: Caller, request: Request) -> KeptAnswer | None:
    """Reserve the key for the present transaction, which must end with `keep`; or the answer that is kept under it.

    Waits while another transaction holds the key. Raises KeyReused.
    """
    parameters = {"owner_id": caller.owner_id, "key": request.key, "fingerprint": request.fingerprint}
    while True:
        if fetch_one(conn, _RESERVE, {**parameters, "kept": KEPT_SECONDS}):
            return None
        if row := fetch_one(conn, _ANSWER, parameters):
            fingerprint, *answer = row
            if fingerprint != request.fingerprint:
                raise KeyReused
            return KeptAnswer(*answer)
        # It was forgotten between the two statements: the key is free now.


_KEEP: Final = """
    UPDATE idempotency_keys SET status = %(status)s, location = %(location)s, body = %(body)s
    WHERE owner_id = %(owner_id)s AND key = %(key)s"""


def keep(conn: Connection, caller: Caller, key: str, answer: KeptAnswer) -> None:
    """Keep the answer under the key that this transaction has reserved."""
    parameters = {"status": answer.status, "location": answer.location, "body": answer.body}
    conn.execute(_KEEP, {"owner_id": caller.owner_id, "key": key, **parameters})


_FORGET: Final = """
    DELETE FROM idempotency_keys WHERE (owner_id, key) IN (
        SELECT owner_id, key FROM idempotency_keys
        WHERE created_at < now() - make_interval(secs => %(kept)s)
        ORDER BY created_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
    RETURNING 1"""


def forget(conn: Connection, *, limit: int) -> int:
    """Forget at most `limit` answers that have been kept long enough; how many there were."""
    return len(fetch_all(conn, _FORGET, {"kept": KEPT_SECONDS, "limit": limit}))
