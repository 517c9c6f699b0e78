"""A choice of jobs: those with these ids, or those that a filter describes."""

from collections.abc import Collection
from typing import Annotated, Any, Self, cast

import orjson
from pydantic import BeforeValidator, Field, model_validator

from scheduler.api.audited import tell
from scheduler.api.fields import Id, Input, example
from scheduler.api.identity import current_caller
from scheduler.api.inputs import StrictPriority
from scheduler.api.queries import JobsFilter
from scheduler.domain.errors import FieldError, InvalidInput
from scheduler.domain.job import BulkOutcome, JsonObject
from scheduler.domain.states import JobStatus
from scheduler.store.bulk import MAX_JOBS, Selection, select
from scheduler.store.connection import Connection

StrictId = Annotated[Id, Field(strict=True)]


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class FilterIn(JobsFilter):
    """The filters of the list of jobs, under the same names. All jobs, when there are none."""

    status: Annotated[
        list[JobStatus],
        BeforeValidator(_one_or_many, json_schema_input_type=JobStatus | list[JobStatus]),
        Field(default_factory=list, description="One, or any of several."),
    ]
    priority: StrictPriority | None = None
    schedule_id: Annotated[StrictId | None, Field(alias="scheduleId")] = None


class ChoiceIn(Input):
    """Which jobs: `ids`, or a `filter`."""

    model_config = example({"filter": {"status": ["pending"], "queue": "default"}})

    ids: Annotated[list[StrictId] | None, Field(min_length=1, max_length=MAX_JOBS)] = None
    filter: FilterIn | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.ids is None) == (self.filter is None):
            name = "ids" if self.ids is None else "filter"
            raise InvalidInput([FieldError((name,), "Give ids or a filter, one of the two.", "one_of_two")])
        return self

    def selected(self, conn: Connection, statuses: Collection[JobStatus]) -> Selection:
        """The chosen jobs; of those that a filter describes, first the ones that stand in one of `statuses`."""
        if self.ids is not None:
            return Selection(list(dict.fromkeys(self.ids)), has_more=False)
        return select(conn, current_caller(), cast("FilterIn", self.filter).wanted(), statuses)

    def tell(self, did: str, outcome: BulkOutcome) -> None:
        """Let the audit say what was done to how many of the chosen jobs, to which, and by what filter."""
        wanted = self.filter and {
            name: value for name, value in orjson.loads(orjson.dumps(self.filter.wanted())).items() if value
        }
        counts = {did: len(outcome.done), "skipped": len(outcome.skipped)}
        stood: JsonObject = {status.value: jobs for status, jobs in outcome.stood.items()}
        tell(before=stood, after={"filter": wanted, **counts, "ids": [*outcome.done]})
