"""Who is asking: every request proves it before any view sees it, but where a route is open."""

import hmac
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from flask import Flask, g, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

from scheduler.api.access import Access, require
from scheduler.api.services import Services, services
from scheduler.api.tokens import GOOD_FOR_SECONDS, KEY_MARK, BadToken, hash_of, prefix_of
from scheduler.domain.account import Identity
from scheduler.domain.caller import Caller
from scheduler.domain.errors import Unavailable
from scheduler.store.api_keys import identify
from scheduler.store.sessions import recently_revoked

VOUCHED_FOR: Final = "scheduler.identity"
"""In a request's environment: the identity that our own pages ask for. No header of a client ends up there."""
LAG_SECONDS: Final = 3.0
"""So much later, at the most, an API process learns that a log-in or a key was revoked."""
_BELIEVED_AT_ONCE: Final = 1_000


def authenticate(app: Flask, access: Mapping[str, Access], *, guarded: str | None = None) -> None:
    """Let no request to `app` pass that may not do what its endpoint asks for; an endpoint without a word is shut.

    `guarded` names the blueprint of the pages for people, which know their visitors by themselves.
    """
    proofs = Proofs()

    def admit() -> None:
        wanted = access.get(request.endpoint or "")
        if wanted is Access.OPEN or (guarded is not None and guarded in request.blueprints):
            return
        if wanted is Access.METRICS and _bears_metrics_token(services()):
            return
        g.identity = request.environ.get(VOUCHED_FOR) or proofs.of_request(services())
        if wanted is not None:
            require(wanted, g.identity)

    app.before_request(admit)


def current_identity() -> Identity:
    """Who makes the present request."""
    return g.identity


def current_caller() -> Caller:
    """The same, as the store asks for it."""
    return current_identity().caller


class Proofs:
    """What has been proved a moment ago is believed for LAG_SECONDS: almost no request costs a statement for this."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._believed: OrderedDict[str, tuple[Identity, float]] = OrderedDict()
        self._revoked: frozenset[int] = frozenset()
        self._revoked_until = 0.0
        self._lock = threading.Lock()

    def of_request(self, services: Services) -> Identity:
        """Whom the request's bearer token speaks for; raises Unauthorized, or Unavailable for an unknown key."""
        token = _bearer_token()
        if token is None:
            raise _refusal("Log in, or send an API key: this needs the header Authorization: Bearer <token>.")
        identity = self._of_token(services, token)
        if identity.session_id is not None and identity.session_id in self._recently_revoked(services):
            raise _refusal("This log-in is over: log in again.")
        return identity

    def _of_token(self, services: Services, token: str) -> Identity:
        known = self._believed.get(token)
        asked = self._clock()
        if known is not None and asked < known[1]:
            return known[0]
        identity = _of_key(services, token) if token.startswith(KEY_MARK) else _of_access_token(services, token)
        with self._lock:
            self._believed[token] = (identity, asked + LAG_SECONDS)
            self._believed.move_to_end(token)
            if len(self._believed) > _BELIEVED_AT_ONCE:
                self._believed.popitem(last=False)
        return identity

    def _recently_revoked(self, services: Services) -> frozenset[int]:
        """As of LAG_SECONDS ago or later; as last known while PostgreSQL is away, when there is little to get at."""
        with self._lock:
            asked = self._clock()
            if asked >= self._revoked_until:
                self._revoked_until = asked + LAG_SECONDS
                with suppress(Unavailable), services.database.connection() as conn:
                    self._revoked = recently_revoked(conn, seconds=GOOD_FOR_SECONDS)
            return self._revoked


def _bearer_token() -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.isascii() else None


def _bears_metrics_token(services: Services) -> bool:
    token, expected = _bearer_token(), services.metrics_token
    return bool(token and expected) and hmac.compare_digest(str(token).encode(), expected.encode())


def _of_access_token(services: Services, token: str) -> Identity:
    try:
        return services.tokens.read(token)
    except BadToken as fault:
        raise _refusal(str(fault)) from None


def _of_key(services: Services, key: str) -> Identity:
    with services.database.connection() as conn:
        identity = identify(conn, prefix=prefix_of(key), key_hash=hash_of(key))
    if identity is None:
        raise _refusal("This API key is unknown, expired or removed, or its account is not active.")
    return identity


def _refusal(why: str) -> Unauthorized:
    return Unauthorized(why, www_authenticate=WWWAuthenticate("bearer", {"realm": "scheduler"}))
