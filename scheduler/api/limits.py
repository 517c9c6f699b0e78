"""How often one may ask: counted in Redis for all API processes together, in each one's memory while Redis is away."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from flask import Flask, Response, g, request
from flask_limiter import ApplicationLimit, HeaderNames, Limiter
from limits import parse_many

from scheduler.api.access import Access
from scheduler.api.client_address import client_address
from scheduler.api.identity import current_identity
from scheduler.api.services import Services
from scheduler.domain.errors import ConfigurationError

LOG_INS: Final = "30/minute"
"""Calls from one address that carry no proof yet: logging in and out, refreshing, registering."""
_TIMEOUT_SECONDS: Final = 1
_NEXT_WINDOW: Final = "X-RateLimit-Retry-After"
"""The limiter sends this with every answer; under its own name it would replace what other refusals say."""


def limit(app: Flask, services: Services, access: Mapping[str, Access]) -> None:
    """Refuse what goes beyond LOG_INS from an address, or beyond the services' rate limit from an account."""

    has_account_limit = bool(services.rate_limit)

    def asks_without_proof() -> bool:
        return request.path.startswith("/api/") and access.get(request.endpoint or "") is Access.OPEN

    limits = [
        ApplicationLimit(
            LOG_INS,
            key_function=client_address,
            scope="address",
            exempt_when=lambda: not asks_without_proof(),
            error_message=_refusal(LOG_INS),
        )
    ]
    if has_account_limit:
        require_readable(services.rate_limit)
        limits.append(
            ApplicationLimit(
                services.rate_limit,
                key_function=_account,
                scope="account",
                exempt_when=lambda: "identity" not in g,
                error_message=_refusal(services.rate_limit),
            )
        )
    app.after_request(_say_when_to_come_again)  # after the limiter's own: the first comes last
    _Limiter(
        client_address,
        lambda: has_account_limit or asks_without_proof(),
        app=app,
        application_limits=[*limits],
        storage_uri=services.redis_url,
        storage_options={"socket_timeout": _TIMEOUT_SECONDS, "socket_connect_timeout": _TIMEOUT_SECONDS},
        in_memory_fallback_enabled=True,
        headers_enabled=True,
        retry_after="delta-seconds",
        header_name_mapping={HeaderNames.RETRY_AFTER: _NEXT_WINDOW},
        key_prefix="scheduler",
    )


class _Limiter(Limiter):
    """Looks only at requests that may have a limit: looking costs each one a good part of what it costs in all."""

    def __init__(self, key_func: Callable[[], str], may_be_limited: Callable[[], bool], **options: Any) -> None:
        self._may_be_limited = may_be_limited
        super().__init__(key_func, **options)

    def _check_request_limit(self, callable_name: str | None = None, in_middleware: bool = True) -> None:
        if self._may_be_limited():
            super()._check_request_limit(callable_name, in_middleware)


def _refusal(limit: str) -> str:
    return f"More requests than {limit}: ask again in as many seconds as Retry-After says."


def _say_when_to_come_again(response: Response) -> Response:
    seconds = response.headers.pop(_NEXT_WINDOW, None)
    if seconds is not None and response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        response.headers.setdefault("Retry-After", seconds)
    return response


def require_readable(rate_limit: str) -> None:
    """Raises ConfigurationError when this is no limit in Flask-Limiter's notation."""
    try:
        parse_many(rate_limit or "1/second")
    except ValueError:
        raise ConfigurationError(f"RATE_LIMIT {rate_limit!r} is no limit, as 600/minute is.") from None


def _account() -> str:
    return str(current_identity().account_id)
