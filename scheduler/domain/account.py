"""Accounts: who they are, and the keys and log-ins that speak for them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from scheduler.domain.caller import Caller


class Role(StrEnum):
    """What an account may do: look at its own, work with its own, or everything."""

    VIEWER = "viewer"
    USER = "user"
    ADMIN = "admin"


class Scope(StrEnum):
    """What a key may do of what its account may: only look, or all of it."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """An account as it is asked for; `email` in lower case."""

    email: str
    password_hash: str
    role: Role = Role.USER
    first_name: str | None = None
    last_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account as it stands."""

    id: int
    email: str
    role: Role
    active: bool
    first_name: str | None
    last_name: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChanges:
    """What is to become of an account; None leaves it as it is."""

    role: Role | None = None
    active: bool | None = None
    password_hash: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewApiKey:
    """A key as it is asked for: `prefix` to find it by, `hash` of all of it."""

    name: str
    prefix: str
    hash: bytes
    scope: Scope
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key as it stands; the key itself is not kept."""

    id: int
    owner_id: int
    name: str
    prefix: str
    scope: Scope
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Identity:
    """Whoever a request comes from, as its credentials prove it: an account, by a log-in or by a key."""

    account_id: int
    role: Role
    scope: Scope = Scope.WRITE
    session_id: int | None = None
    """The log-in; a key has none."""

    @property
    def caller(self) -> Caller:
        return Caller(owner_id=self.account_id, sees_all=self.role is Role.ADMIN)
