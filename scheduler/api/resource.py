"""A resource: its operations, as routes and in the OpenAPI document at once."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel

from scheduler.api.fields import Id, Input
from scheduler.api.once import PARAMETER, once
from scheduler.api.problem import PROBLEM_JSON, Problem

View = TypeVar("View", bound=Callable[..., Response])

MORE_PARAMETERS: Final = "x-parameters"
"""Parameters that no argument of the view stands for; docs.py puts them where they belong."""

_PROBLEMS: Final = {
    400: "The body is not JSON.",
    404: "There is no such thing, or it is not yours to see.",
    409: "The job's state does not allow it; `current_status` is the job's.",
    413: "The body is too large.",
    415: "The body is not sent as JSON.",
    422: "The input fails validation; `errors` names each fault.",
    429: "Too much at once; `Retry-After` says when to ask again.",
    503: "PostgreSQL does not answer; `Retry-After` says when to ask again.",
}
_BODY_PROBLEMS: Final = (400, 413, 415, 422)


class ById(Input):
    """The path of one thing."""

    id: Id


class Resource:
    """A typed front to flask-openapi3's blueprint, which reads off a view's annotations what the operation takes.

    The view's docstring is the operation's summary and description, its name the operation's id.
    """

    def __init__(self, name: str, description: str) -> None:
        self.blueprint: Final = APIBlueprint(name, __name__, abp_tags=[Tag(name=name, description=description)])

    def get(
        self, rule: str, answers: Mapping[int, type[BaseModel] | dict[str, Any]], *, problems: tuple[int, ...] = ()
    ) -> Callable[[View], View]:
        """Register a view at GET `rule`; it answers with `answers` (models, or as OpenAPI has them) or `problems`."""
        return self._operation("get", rule, _responses(answers, problems))

    def post(
        self,
        rule: str,
        answers: Mapping[int, type[BaseModel]],
        *,
        problems: tuple[int, ...] = (),
        creates: bool = False,
    ) -> Callable[[View], View]:
        """The same at POST `rule`, with the problems that any body can have. What `creates` heeds a key (once.py)."""
        return self._operation("post", rule, _responses(answers, (*_BODY_PROBLEMS, *problems)), creates=creates)

    def patch(
        self, rule: str, answers: Mapping[int, type[BaseModel]], *, problems: tuple[int, ...] = ()
    ) -> Callable[[View], View]:
        """The same at PATCH `rule`."""
        return self._operation("patch", rule, _responses(answers, (*_BODY_PROBLEMS, *problems)))

    def put(
        self, rule: str, answers: Mapping[int, type[BaseModel]], *, problems: tuple[int, ...] = ()
    ) -> Callable[[View], View]:
        """The same at PUT `rule`."""
        return self._operation("put", rule, _responses(answers, (*_BODY_PROBLEMS, *problems)))

    def delete(
        self,
        rule: str,
        answers: Mapping[int, type[BaseModel] | None],
        *,
        problems: tuple[int, ...] = (),
        has_body: bool = False,
    ) -> Callable[[View], View]:
        """The same at DELETE `rule`; None stands for an answer without content."""
        possible = (*_BODY_PROBLEMS, *problems) if has_body else problems
        return self._operation("delete", rule, _responses(answers, possible))

    def _operation(
        self, method: str, rule: str, responses: Mapping[int, Any], *, creates: bool = False
    ) -> Callable[[View], View]:
        def register(view: View) -> View:
            summary, _, description = inspect.cleandoc(view.__doc__ or "").partition("\n")
            route: Any = getattr(self.blueprint, method)  # untyped in flask-openapi3
            register_at = route(
                rule,
                summary=summary,
                description=description.strip() or summary,
                operation_id=view.__name__,
                responses=responses,
                openapi_extensions={MORE_PARAMETERS: [PARAMETER]} if creates else None,
            )
            register_at(once(view) if creates else view)
            return view

        return register


def answer(model: BaseModel, status: int = 200, **headers: str) -> Response:
    """`model` as JSON; underscores in the names of `headers` stand for dashes."""
    response = Response(model.model_dump_json(), status=status, content_type="application/json")
    for name, value in headers.items():
        response.headers[name.replace("_", "-")] = value
    return response


def nothing() -> Response:
    """204: it is done, and there is nothing to say."""
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response


Answers = Mapping[int, type[BaseModel] | dict[str, Any] | None]
"""What an operation answers, by status: a model, an OpenAPI response of its own, or nothing."""


def _responses(answers: Answers, problems: tuple[int, ...]) -> dict[int, Any]:
    return {**answers, **{status: _problem(status) for status in sorted(set(problems))}}


def _problem(status: int) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{Problem.__name__}"}
    return {"description": _PROBLEMS[status], "content": {PROBLEM_JSON: {"schema": schema}}}
