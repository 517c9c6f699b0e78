"""A resource: its operations, as routes and in the OpenAPI document at once."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel

from scheduler.api.access import Access
from scheduler.api.audited import Audit, audited
from scheduler.api.fields import Id, Input
from scheduler.api.once import PARAMETER, once
from scheduler.api.problem import PROBLEM_JSON, Problem

View = TypeVar("View", bound=Callable[..., Response])

BEARER: Final = "bearer"
"""The name of the security scheme."""
MORE_PARAMETERS: Final = "x-parameters"
"""Parameters that no argument of the view stands for; docs.py puts them where they belong."""

_PROBLEMS: Final = {
    400: "The body is not JSON.",
    401: "There are no credentials, or they are not good (any more).",
    403: "The account's role, or the key's scope, does not allow it.",
    404: "There is no such thing, or it is not yours to see.",
    409: "The job's state does not allow it; `current_status` is the job's.",
    413: "The body is too large.",
    415: "The body is not sent as JSON.",
    422: "The input fails validation; `errors` names each fault.",
    429: "Too much at once; `Retry-After` says when to ask again.",
    503: "PostgreSQL does not answer; `Retry-After` says when to ask again.",
}
_BODY_PROBLEMS: Final = (400, 413, 415, 422)
_GATE_PROBLEMS: Final = (401, 403, 429)


class ById(Input):
    """The path of one thing."""

    id: Id


class Resource:
    """A typed front to flask-openapi3's blueprint, which reads off a view's annotations what the operation takes.

    The view's docstring is the operation's summary and description, its name the operation's id.
    """

    def __init__(self, name: str, description: str, *, kind: str = "job") -> None:
        """`kind` is what the audit calls one of these things."""
        self.blueprint: Final = APIBlueprint(name, __name__, abp_tags=[Tag(name=name, description=description)])
        self.access: Final[dict[str, Access]] = {}
        """What each endpoint asks of its caller."""
        self._kind = kind

    def get(
        self, rule: str, access: Access, answers: "Answers", *, problems: tuple[int, ...] = ()
    ) -> Callable[[View], View]:
        """Register a view at GET `rule`; it answers with `answers` or `problems` to who may have `access`."""
        return self._operation("get", rule, access, _responses(access, answers, problems))

    def post(
        self,
        rule: str,
        access: Access,
        answers: "Answers",
        *,
        problems: tuple[int, ...] = (),
        creates: bool = False,
        audit: Audit = Audit.WITH,
    ) -> Callable[[View], View]:
        """The same at POST `rule`, with the problems that any body can have. What `creates` heeds a key (once.py)."""
        responses = _responses(access, answers, (*_BODY_PROBLEMS, *problems))
        return self._operation("post", rule, access, responses, creates=creates, audit=audit)

    def patch(
        self, rule: str, access: Access, answers: "Answers", *, problems: tuple[int, ...] = ()
    ) -> Callable[[View], View]:
        """The same at PATCH `rule`."""
        responses = _responses(access, answers, (*_BODY_PROBLEMS, *problems))
        return self._operation("patch", rule, access, responses, audit=Audit.WITH)

    def put(
        self, rule: str, access: Access, answers: "Answers", *, problems: tuple[int, ...] = ()
    ) -> Callable[[View], View]:
        """The same at PUT `rule`."""
        responses = _responses(access, answers, (*_BODY_PROBLEMS, *problems))
        return self._operation("put", rule, access, responses, audit=Audit.WITH)

    def delete(
        self,
        rule: str,
        access: Access,
        answers: "Answers",
        *,
        problems: tuple[int, ...] = (),
        has_body: bool = False,
        audit: Audit = Audit.WITH,
    ) -> Callable[[View], View]:
        """The same at DELETE `rule`; None stands for an answer without content."""
        responses = _responses(access, answers, (*_BODY_PROBLEMS, *problems) if has_body else problems)
        return self._operation("delete", rule, access, responses, audit=audit)

    def _operation(
        self,
        method: str,
        rule: str,
        access: Access,
        responses: Mapping[int, Any],
        *,
        creates: bool = False,
        audit: Audit = Audit.NOT,
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
                security=None if access is Access.OPEN else [{BEARER: []}],
                openapi_extensions={MORE_PARAMETERS: [PARAMETER]} if creates else None,
            )
            recorded = audited(view, object_type=self._kind, audit=audit, changes=not creates)
            register_at(once(recorded) if creates else recorded)
            self.access[f"{self.blueprint.name}.{view.__name__}"] = access
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


def _responses(access: Access, answers: Answers, problems: tuple[int, ...]) -> dict[int, Any]:
    possible = {*problems, *(() if access is Access.OPEN else _GATE_PROBLEMS)}
    return {**answers, **{status: _problem(status) for status in sorted(possible)}}


def _problem(status: int) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{Problem.__name__}"}
    return {"description": _PROBLEMS[status], "content": {PROBLEM_JSON: {"schema": schema}}}
