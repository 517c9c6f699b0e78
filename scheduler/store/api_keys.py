"""API keys: created, found again by their owner's programs, and removed."""

from datetime import UTC
from typing import Final

from psycopg import errors
from psycopg.rows import TupleRow

from scheduler.domain.account import ApiKey, Identity, NewApiKey, Role, Scope
from scheduler.domain.caller import Caller
from scheduler.domain.errors import NotFound
from scheduler.store.connection import Connection, fetch_all, fetch_one
from scheduler.store.filters import OWNED, ownership

KEY_COLUMNS: Final = "id, owner_id, name, prefix, scope::text, created_at, expires_at, last_used_at"

_INSERT: Final = f"""
    INSERT INTO api_keys (owner_id, name, prefix, hash, scope, expires_at)
    VALUES (%(owner_id)s, %(name)s, %(prefix)s, %(hash)s, %(scope)s, %(expires_at)s)
    RETURNING {KEY_COLUMNS}"""


def create_key(conn: Connection, caller: Caller, new: NewApiKey) -> ApiKey:
    """Keep a key of the caller's; raises NotFound when the caller's account is gone."""
    parameters = {
        "owner_id": caller.owner_id,
        "name": new.name,
        "prefix": new.prefix,
        "hash": new.hash,
        "scope": new.scope.value,
        "expires_at": new.expires_at,
    }
    try:
        with conn.transaction():
            (row,) = fetch_all(conn, _INSERT, parameters)
    except errors.ForeignKeyViolation:
        raise NotFound(f"There is no account {caller.owner_id} any more.") from None
    return key_from_row(row)


_DELETE: Final = f"DELETE FROM api_keys WHERE id = %(id)s AND {OWNED} RETURNING {KEY_COLUMNS}"


def delete_key(conn: Connection, caller: Caller, key_id: int) -> ApiKey:
    """Remove the key, which is good for nothing then; raises NotFound when there is none, or it is not the caller's."""
    if row := fetch_one(conn, _DELETE, {"id": key_id, **ownership(caller)}):
        return key_from_row(row)
    raise NotFound(f"There is no key {key_id}.")


_FIND: Final = """
    WITH found AS (
        SELECT api_keys.id, owner_id, role::text, scope::text, last_used_at
        FROM api_keys JOIN accounts ON accounts.id = owner_id
        WHERE prefix = %(prefix)s AND hash = %(hash)s AND active AND (expires_at IS NULL OR expires_at > now())
    ), used AS (
        UPDATE api_keys SET last_used_at = now() FROM found
        WHERE api_keys.id = found.id
          AND (found.last_used_at IS NULL OR found.last_used_at < now() - interval '1 minute')
    )
    SELECT owner_id, role, scope FROM found"""


def identify(conn: Connection, *, prefix: str, key_hash: bytes) -> Identity | None:
    """Whom the key speaks for; None when it is unknown or expired, or its account is not active. Notes its use."""
    row = fetch_one(conn, _FIND, {"prefix": prefix, "hash": key_hash})
    return Identity(row[0], Role(row[1]), Scope(row[2])) if row else None


def key_from_row(row: TupleRow) -> ApiKey:
    """A key from a row of KEY_COLUMNS."""
    created, expires, used = (moment and moment.astimezone(UTC) for moment in row[5:8])
    return ApiKey(
        id=row[0],
        owner_id=row[1],
        name=row[2],
        prefix=row[3],
        scope=Scope(row[4]),
        created_at=created,
        expires_at=expires,
        last_used_at=used,
    )
