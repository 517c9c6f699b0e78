"""Accounts as clients send and see them."""

from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, SecretStr

from scheduler.api.fields import Flag, Input, Output, UtcTime, example
from scheduler.api.pagination import PAGINATION_EXAMPLE, Pagination
from scheduler.domain.account import Account, Role
from scheduler.domain.password import LONGEST, SHORTEST

PASSWORD_EXAMPLE: Final = "a long pass phrase"  # noqa: S105 - an example
_ACCOUNT_EXAMPLE: Final = {
    "id": 2,
    "email": "ada@example.com",
    "role": "user",
    "active": True,
    "first_name": "Ada",
    "last_name": None,
    "created_at": "2026-02-18T16:20:31.105822Z",
    "updated_at": "2026-02-18T16:20:31.105822Z",
}

Email = Annotated[
    str,
    Field(
        max_length=254,
        pattern="^[!-?A-~]+@[!-?A-~]+$",
        description="Capitals do not matter.",
        examples=["ada@example.com"],
    ),
    AfterValidator(str.lower),
]
NewPassword = Annotated[
    SecretStr,
    Field(min_length=SHORTEST, max_length=LONGEST, description="Not one that anybody would try first."),
]
PersonName = Annotated[str, Field(max_length=100)]


class RegistrationIn(Input):
    """An account for oneself."""

    model_config = example(
        {"email": "ada@example.com", "password": PASSWORD_EXAMPLE, "first_name": "Ada", "last_name": "Lovelace"}
    )

    email: Email
    password: NewPassword
    first_name: PersonName
    last_name: PersonName


class AccountIn(Input):
    """An account for somebody."""

    model_config = example({"email": "ada@example.com", "password": PASSWORD_EXAMPLE, "role": "user"})

    email: Email
    password: NewPassword
    role: Role = Role.USER
    first_name: PersonName | None = None
    last_name: PersonName | None = None


class AccountChangesIn(Input):
    """What is to change; what is left out stays as it is."""

    model_config = example({"role": "viewer"}, optional=True)

    role: Role | None = None
    active: Flag | None = None
    password: NewPassword | None = None


class AccountOut(Output):
    """An account as it stands."""

    model_config = example(_ACCOUNT_EXAMPLE)

    id: int
    email: str
    role: Role
    active: bool
    first_name: str | None
    last_name: str | None
    created_at: UtcTime
    updated_at: UtcTime

    @classmethod
    def of(cls, account: Account) -> Self:
        return cls(
            id=account.id,
            email=account.email,
            role=account.role,
            active=account.active,
            first_name=account.first_name,
            last_name=account.last_name,
            created_at=account.created_at,
            updated_at=account.updated_at,
        )


class UsersOut(Output):
    """A page of accounts."""

    model_config = example({"users": [_ACCOUNT_EXAMPLE], "pagination": PAGINATION_EXAMPLE})

    users: list[AccountOut]
    pagination: Pagination
