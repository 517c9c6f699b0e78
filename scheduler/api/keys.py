"""API keys: for programs, which cannot log in."""

from typing import Annotated, Final, Self

from flask import Response
from pydantic import Field

from scheduler.api.access import Access
from scheduler.api.fields import Input, Moment, Output, UtcTime, example
from scheduler.api.identity import current_caller
from scheduler.api.pagination import PAGINATION_EXAMPLE, Pagination
from scheduler.api.queries import PageQuery
from scheduler.api.resource import ById, Resource, answer, nothing
from scheduler.api.services import connection
from scheduler.api.tokens import hash_of, new_api_key, prefix_of
from scheduler.domain.account import ApiKey, NewApiKey, Scope
from scheduler.store.api_keys import create_key, delete_key
from scheduler.store.reads import list_keys

keys: Final = Resource("API keys", "For programs, which cannot log in.", kind="key")

_KEY_EXAMPLE: Final = {
    "id": 7,
    "name": "nightly import",
    "prefix": "sch_5d41402a",
    "scope": "write",
    "created_at": "2026-02-18T16:20:31.105822Z",
    "expires_at": None,
    "last_used_at": None,
    "owner_id": 2,
}


class KeyIn(Input):
    """A key to create."""

    model_config = example({"name": "nightly import", "scope": "write"})

    name: Annotated[str, Field(min_length=1, max_length=100)]
    scope: Annotated[Scope, Field(description="`read` may look, `write` may do all that the account may with jobs.")]
    expires_at: Annotated[Moment | None, Field(description="Never, if absent.")] = None


class KeyOut(Output):
    """A key as it stands. The key itself is shown once, when it is created."""

    model_config = example(_KEY_EXAMPLE)

    id: int
    name: str
    prefix: Annotated[str, Field(description="The first characters of the key, to tell it by.")]
    scope: Scope
    created_at: UtcTime
    expires_at: UtcTime | None
    last_used_at: Annotated[UtcTime | None, Field(description="To the minute.")]
    owner_id: int

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        return cls(
            id=key.id,
            name=key.name,
            prefix=key.prefix,
            scope=key.scope,
            created_at=key.created_at,
            expires_at=key.expires_at,
            last_used_at=key.last_used_at,
            owner_id=key.owner_id,
        )


class NewKeyOut(KeyOut):
    """A key that was created just now, and the key itself."""

    model_config = example({**_KEY_EXAMPLE, "key": "sch_5d41402a_only-an-example"})

    key: Annotated[str, Field(description="Shown this once: keep it. Send it as bearer token.")]


class KeysOut(Output):
    """A page of keys."""

    model_config = example({"keys": [_KEY_EXAMPLE], "pagination": PAGINATION_EXAMPLE})

    keys: list[KeyOut]
    pagination: Pagination


@keys.get("/api/auth/keys", Access.LOGIN, {200: KeysOut}, problems=(422, 503))
def find_keys(query: PageQuery) -> Response:
    """List API keys.

    One's own; an admin sees all.
    """
    with connection() as conn:
        page = list_keys(conn, current_caller(), query.page_request())
    return answer(KeysOut(keys=[KeyOut.of(key) for key in page.items], pagination=Pagination.of(page)))


@keys.post("/api/auth/keys", Access.LOGIN, {201: NewKeyOut}, problems=(404, 503))
def create_api_key(body: KeyIn) -> Response:
    """Create an API key.

    It speaks for the account that creates it. Not with `Idempotency-Key`: answers are kept under one, and this one
    holds a secret. Where the answer got lost, remove the key and create another.
    """
    text = new_api_key()
    new = NewApiKey(
        name=body.name, prefix=prefix_of(text), hash=hash_of(text), scope=body.scope, expires_at=body.expires_at
    )
    with connection() as conn:
        key = create_key(conn, current_caller(), new)
    return answer(NewKeyOut(**KeyOut.of(key).model_dump(), key=text), 201)


@keys.delete("/api/auth/keys/<id:id>", Access.LOGIN, {204: None}, problems=(404, 503))
def remove_api_key(path: ById) -> Response:
    """Remove an API key.

    Within seconds it is good for nothing.
    """
    with connection() as conn:
        delete_key(conn, current_caller(), path.id)
    return nothing()
