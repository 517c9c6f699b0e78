"""Credentials for tests: every API of a test believes SECRET, under which any token can be made."""

# PyJWT's annotations name types of a library that is not installed.
# pyright: reportUnknownMemberType=false

import time
from typing import Any, Final

import jwt

from scheduler.api.tokens import ALGORITHM, AUDIENCE, ISSUER
from scheduler.domain.account import Role

SECRET: Final = "a-secret-for-tests-of-more-than-32-bytes"
_HOUR: Final = 3600


def access_token(role: Role | str = Role.ADMIN, *, account_id: int = 1, secret: str = SECRET, **claims: Any) -> str:
    """A token good for an hour; `claims` in place of its own, None to leave one out. There need not be an account."""
    now = int(time.time())
    all_claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(account_id),
        "sid": 0,
        "role": str(role),
        "jti": "test",
        "iat": now,
        "exp": now + _HOUR,
        **claims,
    }
    return jwt.encode(
        {name: value for name, value in all_claims.items() if value is not None}, secret, algorithm=ALGORITHM
    )


def bearer(token: str | None = None) -> dict[str, str]:
    """The header that carries a token; an admin's unless one is given."""
    return {"Authorization": f"Bearer {token or access_token()}"}
