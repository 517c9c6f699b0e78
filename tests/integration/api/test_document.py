"""The OpenAPI document: it is valid, and schemathesis finds nothing that the API does otherwise."""

# schemathesis leaves its cases' type parameters open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Generator
from contextlib import closing
from typing import Any, Final

import psycopg
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.core import NOT_SET
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection, positive_data_acceptance
from schemathesis.specs.openapi.schemas import OpenApiSchema

from scheduler.api.app import Services, create_app
from scheduler.api.tokens import Tokens
from scheduler.queue import Signals
from scheduler.store.connection import Database
from scheduler.tasks.registry import Registry
from tests.credentials import SECRET, bearer
from tests.integration.api.calls import Api
from tests.integration.api.test_exchange import OPERATIONS
from tests.servers import Servers, fresh_database

RIGHT: dict[str, Any] = {
    "task": {"type": "noop", "data": {}},
    "cron": "@hourly",
    "timezone": "UTC",
    "password": "seven grey llamas, twelve hats",
    "startDate": "2026-02-19",
    "endDate": "2026-02-19",
    **dict.fromkeys(("scheduled_at", "starts_at"), "2126-02-19T10:00:00Z"),
    **dict.fromkeys(("expires_at", "ends_at"), "2127-02-19T10:00:00Z"),
}
"""For fields with rules that no schema can tell: what tasks there are, days of months, years out of reach,
passwords that anybody would try."""
NOT_BESIDE = {"delay_seconds": "scheduled_at", "filter": "ids"}
"""Fields of which only one can be given."""
CHOICES = {
    f"/api/{each}" for each in ("bulk/cancel", "bulk/retry", "bulk/duplicate", "dead-letter", "dead-letter/retry")
}
"""Operations to which one of ids and filter must be given."""

EMPTY: Final = """
TRUNCATE jobs, executions, idempotency_keys, templates, schedules, accounts, login_failures, queue_controls
RESTART IDENTITY CASCADE
"""


def put_right(value: Any) -> Any:
    """The same input without what no schema can tell to be wrong."""
    if isinstance(value, list):
        return [put_right(each) for each in value]
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, float) and value.is_integer():
        return int(value)  # to a schema 5.0 is an integer
    if not isinstance(value, dict):
        return value
    return {
        name: each if each is None else RIGHT.get(name) or put_right(each)
        for name, each in value.items()
        if NOT_BESIDE.get(name) not in value and name not in {"cursor", "parameters"}
    }


def test_it_is_valid(storeless: Api) -> None:
    OpenAPIV31SpecValidator(storeless.get("/openapi.json").ok()).validate()


@pytest.fixture(scope="module")
def described_url(servers: Servers) -> Generator[str]:
    """A database for the described API alone."""
    with fresh_database(servers) as url:
        yield url


@pytest.fixture(scope="module")
def described(servers: Servers, registry: Registry, described_url: str) -> Generator[OpenApiSchema]:
    """The document of an API over a database of its own."""
    with (
        closing(Database(described_url, name="test")) as database,
        closing(Signals(servers.redis_url)) as signals,
    ):
        app = create_app(
            Services(
                database=database,
                signals=signals,
                registry=registry,
                max_body_bytes=2**20,
                version="1.2.3",
                tokens=Tokens([SECRET]),
                redis_url=servers.redis_url,
            )
        )
        yield schemathesis.openapi.from_wsgi("/openapi.json", app)


def test_operations_in_a_row_do_what_they_say(described: OpenApiSchema, described_url: str) -> None:
    """Each with ids that those before it answered: by the links that schemathesis finds in the document."""

    class Story(described.as_state_machine()):  # pyright: ignore[reportUntypedBaseClass]
        def setup(self) -> None:
            super().setup()
            with psycopg.connect(described_url, autocommit=True) as conn:
                conn.execute(EMPTY)  # a story told again must go the same way

        def get_call_kwargs(self, case: Any) -> dict[str, Any]:  # noqa: ARG002 - schemathesis's signature
            return {"headers": bearer()}

        def validate_response(self, response: Any, case: Any, additional_checks: Any = None, **_options: Any) -> None:
            excluded: list[Any] = [positive_data_acceptance, negative_data_rejection]  # they are tried below
            excluded.append(ignored_auth)  # which knows the credentials that it makes, and not ours
            case.validate_response(response, additional_checks=additional_checks, excluded_checks=excluded)

    Story.run(
        settings=settings(
            max_examples=20,
            stateful_step_count=8,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        )
    )


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_operation_does_what_it_says(
    described: OpenApiSchema, path: str, method: str, mode: GenerationMode
) -> None:
    operation = described[path][method]
    excluded: list[Any] = []
    if path == "/api/auth/password":
        excluded.append(positive_data_acceptance)  # only the right password is accepted
    if method == "get":
        excluded.append(negative_data_rejection)  # a query parameter without a value counts as left out

    @settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
    @given(case=operation.as_strategy(generation_mode=mode))
    def answers_as_described(case: Any) -> None:
        if mode is GenerationMode.POSITIVE:
            case.headers.pop("Idempotency-Key", None)  # one key is for one body
            case.query = put_right(case.query)
            if case.body is not NOT_SET:  # a body that is set is judged anew: none would count as wrong from then on
                case.body = put_right(case.body)
            if path in CHOICES and method != "get" and all(each is None for each in case.body.values()):
                case.body = {"filter": {}}
        case.call_and_validate(excluded_checks=excluded, headers=bearer())

    try:
        answers_as_described()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE  # nothing that it takes could be wrong
