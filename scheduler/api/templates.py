"""Templates: tasks to make jobs of, with placeholders."""

from dataclasses import replace
from typing import Annotated, Final, Self

from flask import Response
from pydantic import Field, JsonValue

from scheduler.api.access import Access
from scheduler.api.body import faults_of, refuse
from scheduler.api.fields import Input, Moment, Output, UtcTime, example
from scheduler.api.identity import current_caller
from scheduler.api.inputs import Description, JobIn, OptionsIn, TaskIn
from scheduler.api.intake import admit
from scheduler.api.job_outputs import JobOut, TaskOut
from scheduler.api.pagination import Pagination
from scheduler.api.queries import PageQuery
from scheduler.api.resource import ById, Resource, answer, nothing
from scheduler.api.services import connection, services
from scheduler.domain.template import NewTemplate, Template, fill, placeholders
from scheduler.store.reads import list_templates
from scheduler.store.templates import create_template, delete_template, get_template

templates: Final = Resource(
    "templates", "Tasks to make jobs of again and again, with placeholders to fill in.", kind="template"
)

_TASK_EXAMPLE: Final = {
    "type": "send_email",
    "data": {"to": "{{ to }}", "subject": "Hello", "message": "Good morning, {{ name }}."},
}


class TemplateIn(Input):
    """A template to keep."""

    model_config = example({"name": "greeting", "task": _TASK_EXAMPLE, "defaults": {"priority": 3}})

    name: Annotated[str, Field(min_length=1, max_length=200, description="No two of yours have the same.")]
    task: Annotated[TaskIn, Field(description="Strings in its data may hold {{ name }} placeholders.")]
    description: Description | None = None
    defaults: Annotated[OptionsIn, Field(description="Options of its jobs.")] = OptionsIn()

    def new_template(self) -> NewTemplate:
        return NewTemplate(
            name=self.name,
            task_type=self.task.type,
            task_data=self.task.data,
            description=self.description,
            defaults=self.defaults.model_dump(mode="json", exclude_unset=True),
        )


class UseIn(Input):
    """When the job is to run, and what stands for the placeholders; the whole body may be left out."""

    model_config = example({"parameters": {"to": "user@example.com", "name": "Ada"}}, optional=True)

    scheduled_at: Annotated[Moment | None, Field(description="Now, if absent.")] = None
    parameters: Annotated[
        dict[str, JsonValue],
        Field(
            default_factory=dict,
            description="By name. A string that is one placeholder alone becomes the value as it is, of whatever type.",
        ),
    ]


class TemplateOut(Output):
    """A template as it stands."""

    model_config = example(
        {
            "id": 3,
            "name": "greeting",
            "description": None,
            "task": _TASK_EXAMPLE,
            "defaults": {"priority": 3},
            "created_at": "2026-02-18T16:20:31.105822Z",
            "owner_id": 1,
        }
    )

    id: int
    name: str
    description: str | None
    task: TaskOut
    defaults: dict[str, JsonValue]
    created_at: UtcTime
    owner_id: int

    @classmethod
    def of(cls, template: Template) -> Self:
        return cls(
            id=template.id,
            name=template.name,
            description=template.description,
            task=TaskOut(type=template.task_type, data=template.task_data),
            defaults=template.defaults,
            created_at=template.created_at,
            owner_id=template.owner_id,
        )


class TemplatesOut(Output):
    """A page of templates."""

    templates: list[TemplateOut]
    pagination: Pagination


@templates.get("/api/templates", Access.READ, {200: TemplatesOut}, problems=(422, 503))
def find_templates(query: PageQuery) -> Response:
    """List templates.

    Newest first.
    """
    with connection() as conn:
        page = list_templates(conn, current_caller(), query.page_request())
    rows = [TemplateOut.of(template) for template in page.items]
    return answer(TemplatesOut(templates=rows, pagination=Pagination.of(page)))


@templates.post("/api/templates", Access.WRITE, {201: TemplateOut}, problems=(409, 503), creates=True)
def keep_template(body: TemplateIn) -> Response:
    """Create a template.

    A name that another of yours has is a 409. Data without placeholders is checked at once, other data when it is used.
    """
    registry = services().registry
    if any(placeholders(body.task.data)):
        registry.require(body.task.type)
    else:
        registry.validate(body.task.type, body.task.data)
    with connection() as conn:
        template = create_template(conn, current_caller(), body.new_template())
    return answer(TemplateOut.of(template), 201)


@templates.delete("/api/templates/<id:id>", Access.WRITE, {204: None}, problems=(404, 503))
def remove_template(path: ById) -> Response:
    """Remove a template.

    The jobs that were made of it stay.
    """
    with connection() as conn:
        delete_template(conn, current_caller(), path.id)
    return nothing()


@templates.post("/api/templates/<id:id>/use", Access.WRITE, {201: JobOut}, problems=(404, 503), creates=True)
def use_template(path: ById, body: UseIn) -> Response:
    """Create a job from a template.

    Due now or at `scheduled_at`. A placeholder without a parameter is a 422 that names it, and so is a parameter
    without a placeholder. The job bears the template's name and description.
    """
    with connection() as conn:
        template = get_template(conn, current_caller(), path.id)
    data = fill(template.task_data, body.parameters, max_bytes=services().max_body_bytes)
    refuse(faults_of({"task": {"data": data}}))
    job = JobIn.model_validate({**template.defaults, "task": {"type": template.task_type, "data": data}})
    new = replace(job.new_job(), name=template.name, description=template.description, template_id=template.id)
    return admit(replace(new, scheduled_at=body.scheduled_at))
