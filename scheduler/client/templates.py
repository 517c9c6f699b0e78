"""Templates: tasks to make jobs of, with placeholders."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from scheduler.client.calls import Call, Page, given, nothing
from scheduler.client.jobs import LONGEST_PAGE, Options, fresh_key
from scheduler.client.models import Job, Template, one, page
from scheduler.client.noun import Noun, S_co, endpoint, walk
from scheduler.domain.job import JsonObject


def _page(size: int) -> Call[Page[Template]]:
    return Call("GET", "/api/templates", page(Template, "templates"), query={"limit": size})


class Templates(Noun[S_co]):
    """Tasks to make jobs of again and again."""

    @endpoint
    @staticmethod
    def create(
        name: str,
        task_type: str,
        data: Mapping[str, Any] | None = None,
        *,
        description: str | None = None,
        defaults: Options | None = None,
        idempotency_key: str | None = None,
    ) -> Call[Template]:
        """Create a template; strings in `data` may hold `{{ name }}` placeholders."""
        task: JsonObject = {"type": task_type, "data": dict(data or {})}
        body: JsonObject = {"name": name, "task": task, **given(description=description, defaults=defaults)}
        return Call("POST", "/api/templates", one(Template), body=body, key=fresh_key(idempotency_key))

    @walk
    @staticmethod
    def list() -> Call[Page[Template]]:
        """Every template, newest first."""
        return _page(LONGEST_PAGE)

    @endpoint
    @staticmethod
    def page(*, size: int = 20) -> Call[Page[Template]]:
        """The first page of that list, and how many there are in all."""
        return _page(size)

    @endpoint
    @staticmethod
    def delete(template_id: int) -> Call[None]:
        """Remove a template; the jobs that were made of it stay."""
        return Call("DELETE", f"/api/templates/{template_id}", nothing)

    @endpoint
    @staticmethod
    def use(
        template_id: int,
        parameters: Mapping[str, Any] | None = None,
        *,
        scheduled_at: datetime | str | None = None,
        idempotency_key: str | None = None,
    ) -> Call[Job]:
        """Create a job from a template, each placeholder filled with the parameter of its name."""
        body = given(parameters=cast("JsonObject", dict(parameters or {})), scheduled_at=scheduled_at)
        path = f"/api/templates/{template_id}/use"
        return Call("POST", path, one(Job), body=body, key=fresh_key(idempotency_key))
