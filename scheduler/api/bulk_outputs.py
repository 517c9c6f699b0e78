"""What clients see of what was done to many jobs at once."""

from collections.abc import Sequence
from typing import Final, Self

from scheduler.api.fields import Output, example
from scheduler.domain.job import Skipped


class IdsOut(Output):
    """The ids of jobs, in the order in which they were given."""

    model_config = example({"ids": [42, 43]})

    ids: list[int]


class SkippedOut(Output):
    """A job that was left as it is."""

    id: int
    reason: str

    @classmethod
    def all_of(cls, skipped: Sequence[Skipped]) -> list[Self]:
        return [cls(id=each.id, reason=each.reason) for each in skipped]


_SKIPPED_EXAMPLE: Final = {"skipped": [{"id": 44, "reason": "There is no job 44."}], "has_more": False}


class BulkOut(Output):
    """To which jobs it was not done, and whether a filter describes more to which it could be."""

    skipped: list[SkippedOut]
    has_more: bool


class CancelledOut(BulkOut):
    """Jobs that were cancelled."""

    model_config = example({"cancelled": [42, 43], **_SKIPPED_EXAMPLE})

    cancelled: list[int]


class RetriedOut(BulkOut):
    """Jobs that are pending again."""

    model_config = example({"retried": [42, 43], **_SKIPPED_EXAMPLE})

    retried: list[int]


class DuplicatedOut(BulkOut):
    """Jobs that were copied, and their copies in the same order."""

    model_config = example({"duplicated": [42, 43], "copies": [52, 53], **_SKIPPED_EXAMPLE})

    duplicated: list[int]
    copies: list[int]


class DeletedOut(BulkOut):
    """Jobs that are gone."""

    model_config = example({"deleted": [42, 43], **_SKIPPED_EXAMPLE})

    deleted: list[int]
