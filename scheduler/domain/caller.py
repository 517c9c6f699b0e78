"""Who asks: every read and write of the store is scoped to a caller."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Caller:
    """An account. It owns what it creates (`owner_id`) and sees its own rows, or all of them."""

    owner_id: int
    sees_all: bool = False


OPERATOR: Final = Caller(owner_id=0, sees_all=True)
"""Whoever runs the machine: what works beside the database, without an account."""
