"""Every error of the client, as one tree.

ClientError
├── Unreachable           no answer: nobody listens, or the connection broke too often
├── NotTheApi             something answered that is no scheduler API
├── NotInTime             a job has not ended by the deadline of `wait`
└── Refused               the API answered with an error
    ├── Unauthenticated   401: no credentials, or they are not good any more
    ├── Forbidden         403: not the caller's to do
    ├── NotFound          404: unknown, or not the caller's to see
    ├── Conflict          409: the state of the thing does not allow it
    ├── Invalid           400, 413, 415, 422: the request is wrong; `errors` names each field
    ├── TooMany           429: too much at once; `retry_after` says when to come back
    └── ServerFault       5xx: the server's own trouble
"""

from collections.abc import Sequence
from typing import Final

from scheduler.domain.errors import FieldError, SchedulerError
from scheduler.domain.job import JsonObject


class ClientError(SchedulerError):
    """The root: whatever the client raises on purpose."""


class Unreachable(ClientError):
    """No answer came; `reason` says why."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"The API at {url} cannot be reached ({reason}).")
        self.reason = reason


class NotTheApi(ClientError):
    """Something answered that is no scheduler API: correct the address."""


class NotInTime(ClientError):
    """A job has not ended by the deadline of `wait`; `status` is where it stands."""

    def __init__(self, job_id: int, status: str, seconds: float) -> None:
        super().__init__(f"Job {job_id} is still {status} after {seconds:g} s: wait longer, or look what holds it up.")
        self.job_id = job_id
        self.status = status


class Refused(ClientError):
    """The API answered with an error: HTTP's `status`, `detail` on what to do, and each fault of a 422 as `errors`."""

    def __init__(self, status: int, detail: str, *, errors: Sequence[FieldError] = (), retry_after: float = 0) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after = retry_after
        self.current_status: str | None = None


class Unauthenticated(Refused):
    """No credentials, or they are not good any more."""


class Forbidden(Refused):
    """Not the caller's to do."""


class NotFound(Refused):
    """Unknown, or not the caller's to see: the two are not told apart."""


class Conflict(Refused):
    """The state of the thing does not allow it; `current_status` is the job's, where it is about one."""


class Invalid(Refused):
    """The request is wrong; `errors` names each field."""


class TooMany(Refused):
    """Too much at once; `retry_after` is in seconds."""


class ServerFault(Refused):
    """The server's own trouble."""


_BY_STATUS: Final[dict[int, type[Refused]]] = {
    400: Invalid,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: Invalid,
    415: Invalid,
    422: Invalid,
    429: TooMany,
}


def refusal(status: int, problem: JsonObject, *, retry_after: float = 0) -> Refused:
    """The error that an answer of `application/problem+json` comes to."""
    kind = _BY_STATUS.get(status, ServerFault if status >= 500 else Refused)
    detail = problem.get("detail") or problem.get("title") or f"The API answered {status}."
    refused = kind(status, str(detail), errors=_faults(problem), retry_after=retry_after)
    current = problem.get("current_status")
    refused.current_status = current if isinstance(current, str) else None
    return refused


def _faults(problem: JsonObject) -> list[FieldError]:
    given = problem.get("errors")
    faults: list[FieldError] = []
    for each in given if isinstance(given, list) else []:
        if isinstance(each, dict):
            loc = each.get("loc")
            where = tuple(part for part in (loc if isinstance(loc, list) else []) if isinstance(part, str | int))
            faults.append(FieldError(where, str(each.get("msg")), str(each.get("type"))))
    return faults
