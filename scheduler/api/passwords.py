"""Hashing passwords, a few at a time: it is slow on purpose, and must not keep other requests waiting."""

from collections.abc import Generator
from contextlib import contextmanager

from pydantic import SecretStr

from scheduler.api.services import logins
from scheduler.domain.errors import Busy
from scheduler.domain.password import hash_password, require_good


def hashed(password: SecretStr, *, email: str, field: str = "password") -> str:
    """The hash of a new password; raises InvalidInput when it is not good enough, Busy when too many are hashed."""
    plain = password.get_secret_value()
    require_good(plain, email=email, field=field)
    with place():
        return hash_password(plain)


@contextmanager
def place() -> Generator[None]:
    """One of the few places for hashing; raises Busy when all are taken."""
    places = logins()
    if not places.acquire(blocking=False):
        raise Busy("Many others log in just now: try again in a moment.")
    try:
        yield
    finally:
        places.release()
