"""What a list may be asked: its page and its filters, as query parameters."""

from functools import cache
from typing import Annotated, Any, Final, cast

from pydantic import Field, TypeAdapter, model_validator

from scheduler.api.body import faults_of, refuse
from scheduler.api.fields import Id, Input, Priority, QueueName, RangeEnd, RangeStart
from scheduler.domain.listing import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    MAX_PAGE,
    Cursor,
    ExecutionFilter,
    JobFilter,
    PageRequest,
    Sort,
)
from scheduler.domain.states import ExecutionStatus, JobStatus

_NO_VALUE: Final = ("", [""])


class Query(Input):
    """Query parameters. One without a value (`?search=`) counts as left out; an unknown one is an error."""

    @model_validator(mode="before")
    @classmethod
    def _judge_text(cls, given: object) -> object:
        parameters = cast("dict[str, object]", given)
        refuse(faults_of(parameters))
        return {name: value for name, value in parameters.items() if value not in _NO_VALUE}

    @classmethod
    def model_json_schema(cls, *args: Any, **options: Any) -> dict[str, Any]:
        """As pydantic's. flask-openapi3 asks for it with every request, and making it takes most of a millisecond."""
        return super().model_json_schema(*args, **options) if args or options else _kept_schema(cls)


@cache
def _kept_schema(model: type[Query]) -> dict[str, Any]:
    return TypeAdapter(model).json_schema()


class PageQuery(Query):
    """Which page."""

    page: Annotated[int, Field(ge=1, le=MAX_PAGE, description="From 1. With a cursor it is not looked at.")] = 1
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT, description="Rows a page.")] = DEFAULT_LIMIT
    cursor: Annotated[
        str | None,
        Field(max_length=300, description="next_cursor of the answer before: walks any depth at constant cost."),
    ] = None

    def page_request(self, sort: Sort = Sort.ID_DOWN) -> PageRequest:
        after = Cursor.decode(self.cursor, sort=sort) if self.cursor else None
        return PageRequest(limit=self.limit, page=self.page, sort=sort, after=after)


class JobsFilter(Input):
    """Which jobs: those that all given filters match."""

    status: Annotated[list[JobStatus], Field(default_factory=list, description="May repeat: any of them.")]
    task_type: Annotated[str | None, Field(alias="taskType", max_length=100)] = None
    search: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=200,
            description="Text in name, description or task; case does not matter. Without three letters or digits in"
            " a row it has no index: when few jobs match, a page of a list may then have fewer than `limit` rows, or"
            " none, and yet a `next_cursor` that goes on; `total` is an estimate.",
        ),
    ] = None
    start_date: Annotated[
        RangeStart | None,
        Field(alias="startDate", description="scheduled_at from here: a time, or a whole UTC day."),
    ] = None
    end_date: Annotated[
        RangeEnd | None,
        Field(alias="endDate", description="scheduled_at up to here, inclusive: a time, or a whole UTC day."),
    ] = None
    queue: QueueName | None = None
    priority: Priority | None = None
    schedule_id: Annotated[Id | None, Field(alias="scheduleId")] = None

    def wanted(self) -> JobFilter:
        return JobFilter(
            statuses=tuple(self.status),
            task_type=self.task_type,
            search=self.search,
            scheduled_from=self.start_date,
            scheduled_before=self.end_date,
            queue=self.queue,
            priority=self.priority,
            schedule_id=self.schedule_id,
        )


class JobFilterQuery(Query, JobsFilter):
    """The filters as query parameters."""


class JobsQuery(PageQuery, JobsFilter):
    """A page of jobs."""

    sort: Annotated[Sort, Field(description="Downward with a - before it.")] = Sort.ID_DOWN


class ExecutionsQuery(PageQuery):
    """Which attempts: those that all given filters match."""

    job_id: Annotated[Id | None, Field(alias="jobId")] = None
    status: Annotated[list[ExecutionStatus], Field(default_factory=list, description="May repeat: any of them.")]
    worker: Annotated[
        str | None, Field(max_length=200, description="The executor that ran it, as it names itself.")
    ] = None

    def wanted(self) -> ExecutionFilter:
        return ExecutionFilter(job_id=self.job_id, statuses=tuple(self.status), worker=self.worker)
