"""The OpenAPI document: it is valid, and schemathesis finds nothing that the API does otherwise."""

# schemathesis leaves its cases' type parameters open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Generator
from contextlib import closing
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance
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


def test_it_is_valid(storeless: Api) -> None:
    OpenAPIV31SpecValidator(storeless.get("/openapi.json").ok()).validate()


@pytest.fixture(scope="module")
def described(servers: Servers, registry: Registry) -> Generator[OpenApiSchema]:
    """The document of an API over a database of its own."""
    with (
        fresh_database(servers) as url,
        closing(Database(url, name="test")) as database,
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


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_operation_does_what_it_says(
    described: OpenApiSchema, path: str, method: str, mode: GenerationMode
) -> None:
    operation = described[path][method]
    excluded: list[Any] = [positive_data_acceptance]  # some rules no schema can tell: known task types, cursors, years
    if method == "get":
        excluded.append(negative_data_rejection)  # a query parameter without a value counts as left out

    @settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
    @given(case=operation.as_strategy(generation_mode=mode))
    def answers_as_described(case: Any) -> None:
        case.call_and_validate(excluded_checks=excluded, headers=bearer())

    try:
        answers_as_described()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE  # nothing that it takes could be wrong
