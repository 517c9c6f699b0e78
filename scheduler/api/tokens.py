"""Secrets that speak for an account: access tokens, which are signed, refresh tokens and API keys, which are random."""

# PyJWT's annotations name types of a library that is not installed.
# pyright: reportUnknownMemberType=false

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import jwt

from scheduler.domain.account import Identity, Role
from scheduler.domain.errors import ConfigurationError
from scheduler.settings import SHORTEST_SECRET_BYTES
from scheduler.store.sessions import Grant

ACCESS_SECONDS: Final = 300
_LEEWAY_SECONDS: Final = 30
"""What the clocks of API and database may differ by."""
GOOD_FOR_SECONDS: Final = ACCESS_SECONDS + 2 * _LEEWAY_SECONDS
"""An access token is refused after this long, whatever the clocks say."""
ALGORITHM: Final = "HS256"
ISSUER: Final = "scheduler"
AUDIENCE: Final = "scheduler-api"
CLAIMS: Final = ["iss", "aud", "sub", "sid", "role", "jti", "iat", "exp"]

KEY_MARK: Final = "sch_"
_PREFIX_CHARACTERS: Final = len(KEY_MARK) + 8


class BadToken(Exception):
    """This is no access token of ours, or not any more; the message says which."""


class Tokens:
    """Signs with the first of `signing_secrets`, and believes all of them: that is how they are rotated."""

    def __init__(self, signing_secrets: Sequence[str]) -> None:
        """Raises ConfigurationError when there is none, or one is short."""
        if not signing_secrets or any(len(each.encode()) < SHORTEST_SECRET_BYTES for each in signing_secrets):
            raise ConfigurationError(
                f"JWT_SECRET has to be set, to {SHORTEST_SECRET_BYTES} bytes or more: take the output of "
                "`openssl rand -hex 32`, the same for every API process."
            )
        self._secrets = [each.encode() for each in signing_secrets]

    def access(self, grant: Grant, refresh: str) -> str:
        """The access token of a grant: the same for the same refresh token, however often it is asked for."""
        issued = int(grant.at.timestamp())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(grant.account.id),
            "sid": grant.session_id,
            "role": grant.account.role.value,
            "jti": hash_of(refresh).hex()[:32],
            "iat": issued,
            "exp": issued + ACCESS_SECONDS,
        }
        return jwt.encode(claims, self._secrets[0], algorithm=ALGORITHM)

    def read(self, access: str) -> Identity:
        """Whom an access token speaks for; raises BadToken."""
        for secret in self._secrets:
            try:
                return _identity(_decoded(access, secret))
            except jwt.InvalidSignatureError:
                continue
            except jwt.ExpiredSignatureError:
                raise BadToken("This access token has expired: refresh it.") from None
            except (jwt.InvalidTokenError, ValueError, TypeError):
                break
        raise BadToken("This access token is not valid: log in again.")

    def successor(self, refresh: str) -> str:
        """The refresh token that follows on `refresh`: always the same, and nobody else can tell it."""
        return _text(hmac.digest(self._secrets[0], b"refresh " + refresh.encode(), "sha256"))


def new_refresh_token() -> str:
    """The first one of a log-in."""
    return _text(secrets.token_bytes(32))


def new_api_key() -> str:
    """A key; its prefix is there to be seen, the rest is the secret."""
    return f"{KEY_MARK}{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}"


def prefix_of(key: str) -> str:
    """The part of a key that may be shown."""
    return key[:_PREFIX_CHARACTERS]


def hash_of(token: str) -> bytes:
    """What is kept of a random token. It cannot be guessed, so there is no need for a slow hash."""
    return hashlib.sha256(token.encode()).digest()


def _decoded(access: str, secret: bytes) -> dict[str, Any]:
    return jwt.decode(
        access,
        secret,
        algorithms=[ALGORITHM],
        issuer=ISSUER,
        audience=AUDIENCE,
        leeway=timedelta(seconds=_LEEWAY_SECONDS),
        options={"require": CLAIMS},
    )


def _identity(claims: dict[str, Any]) -> Identity:
    return Identity(int(claims["sub"]), Role(claims["role"]), session_id=int(claims["sid"]))


def _text(random: bytes) -> str:
    return urlsafe_b64encode(random).rstrip(b"=").decode()
