"""The one place that turns errors into answers: RFC 9457 problems, whatever went wrong and wherever."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Annotated, Any, Final

from flask import Flask, Response, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field, ValidationError
from werkzeug.exceptions import HTTPException

from scheduler.api.exchange import request_id
from scheduler.domain.errors import Busy, Conflict, FieldError, InvalidInput, NotFound, SchedulerError, Unavailable
from scheduler.logs import get_log

log = get_log("api")

PROBLEM_JSON: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = "2"
"""Until a server that is away may be back."""
_TOLD_FAULTS: Final = 20
"""So many faults stand in a problem's detail; its `errors` name them all."""
_BUSY_RETRY_AFTER_SECONDS: Final = "10"


class Fault(BaseModel):
    """One fault of an input."""

    loc: Annotated[list[str | int], Field(description="Where: the path to the field, or a query parameter's name.")]
    msg: Annotated[str, Field(description="What is wrong with it.")]
    type: Annotated[str, Field(description="A stable word for the kind of fault.")]


class Problem(BaseModel):
    """An error, as RFC 9457 has it."""

    type: str = "about:blank"
    title: Annotated[str, Field(description="The HTTP status in words.")]
    status: Annotated[int, Field(description="The HTTP status.")]
    detail: Annotated[str, Field(description="What went wrong, and what to do about it.")]
    errors: Annotated[list[Fault] | None, Field(description="With 422: every fault.")] = None
    current_status: Annotated[str | None, Field(description="With 409: where the job stands.")] = None


def register_problems(app: Flask) -> None:
    """Answer every error of `app` with a problem."""
    app.register_error_handler(SchedulerError, _on_scheduler_error)
    app.register_error_handler(HTTPException, _on_http_error)
    app.register_error_handler(Exception, _on_unexpected)


def problem_of_validation(invalid: ValidationError) -> Response:
    """The 422 for what a model refused."""
    return _of_faults(faults_of_validation(invalid))


def faults_of_validation(invalid: ValidationError) -> list[FieldError]:
    """What a model refused, fault by fault."""
    return [FieldError(each["loc"], each["msg"], each["type"]) for each in invalid.errors(include_url=False)]


def _on_scheduler_error(error: SchedulerError) -> Response:
    match error:
        case NotFound():
            return _answer(404, str(error))
        case Conflict():
            return _answer(409, str(error), current_status=error.current_status)
        case InvalidInput():
            return _of_faults(error.errors)
        case Busy():
            response = _answer(429, str(error))
            response.headers["Retry-After"] = _BUSY_RETRY_AFTER_SECONDS
            return response
        case Unavailable():
            log.warning("server away", error=str(error))
            response = _answer(503, str(error))
            response.headers["Retry-After"] = RETRY_AFTER_SECONDS
            return response
        case _:
            return _on_unexpected(error)


def _on_http_error(error: HTTPException) -> ResponseReturnValue:
    if error.response is not None:
        return error  # complete: flask-openapi3 aborts with the answer of problem_of_validation
    status = error.code or 500
    response = _answer(status, _DETAILS.get(status) or error.description or "")
    for name, value in error.get_headers(request.environ):
        if name.lower() != "content-type":
            response.headers[name] = value
    return response


def _on_unexpected(error: Exception) -> Response:
    log.error("request failed", exc_info=error, method=request.method, path=request.path)
    return _answer(500, f"Something went wrong here. The log has the reason beside request id {request_id()}.")


_DETAILS: Final = {
    404: "There is nothing at this address: /openapi.json lists what there is.",
    405: "This address does not take this method: the Allow header lists those it takes.",
    413: "The body is larger than MAX_BODY_BYTES allows.",
}


def _of_faults(faults: Iterable[FieldError]) -> Response:
    errors = [Fault(loc=list(fault.loc), msg=fault.msg, type=fault.type) for fault in faults]
    told = [f"{'.'.join(map(str, each.loc)) or 'body'}: {each.msg}" for each in errors[:_TOLD_FAULTS]]
    more = [f"and {len(errors) - _TOLD_FAULTS} more"] if len(errors) > _TOLD_FAULTS else []
    detail = "; ".join([*told, *more])
    return _answer(422, detail, errors=errors)


def _answer(status: int, detail: str, **members: Any) -> Response:
    problem = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, **members)
    body = problem.model_dump_json(exclude_none=True)
    return Response(body, status=status, content_type=PROBLEM_JSON)
