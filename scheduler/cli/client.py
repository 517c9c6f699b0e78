"""A small client of the REST API, for the command line."""

import http.client
import json
import os
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from typing import IO, Any, Final, Protocol, cast
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, urlencode, urlsplit

import click

from scheduler.cli.terminal import plain
from scheduler.domain.errors import ConfigurationError
from scheduler.domain.job import JsonObject
from scheduler.settings import api_key_file, load_settings, read_secret

TIMEOUT_SECONDS: Final = 30.0

_LOG_IN: Final = " Set SCHEDULER_TOKEN to an API key."

Query = Mapping[str, str | int | Sequence[str] | None]


class ApiRefused(click.ClickException):
    """The API answered with an error; exit code 1."""

    exit_code = 1

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.is_passing = status in {HTTPStatus.TOO_MANY_REQUESTS, *range(500, 600)}

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"scheduler: {self.message}", file=file, err=file is None)


class ApiUnreachable(click.ClickException):
    """No API answers; exit code 2."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"scheduler: {self.message}", file=file, err=file is None)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API answered when all went well."""

    status: int
    body: JsonObject


class Api:
    """The API at `url`, called with the bearer token `token` unless that is empty.

    Every call raises ApiRefused when the answer is an error, ApiUnreachable when there is none.
    """

    def __init__(self, url: str, *, token: str = "") -> None:
        """Raises ConfigurationError when `url` or `token` cannot be one; it never shows the token."""
        parts = _split(url)
        if not (token.isascii() and token.isprintable()) or " " in token:
            raise ConfigurationError("SCHEDULER_TOKEN holds characters that no token has: set it again.")
        self._base = url.rstrip("/")
        self._headers = {"Accept": "application/json", "User-Agent": "scheduler-cli"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._opener = _opener(parts)

    def get(self, path: str, query: Query | None = None) -> JsonObject:
        """What stands at `path`; a parameter that is None is left out."""
        given = {name: value for name, value in (query or {}).items() if value is not None}
        return self._call("GET", f"{path}?{urlencode(given, doseq=True)}" if given else path, None).body

    def post(self, path: str, body: JsonObject) -> Answer:
        """Send `body` to `path`."""
        return self._call("POST", path, json.dumps(body).encode())

    def delete(self, path: str) -> None:
        """Remove what stands at `path`."""
        self._call("DELETE", path, None)

    def _call(self, method: str, path: str, body: bytes | None) -> Answer:
        headers = self._headers if body is None else {**self._headers, "Content-Type": "application/json"}
        request = urllib.request.Request(self._base + path, body, headers, method=method)  # noqa: S310 - http(s) only
        try:
            with cast("_Response", self._opener.open(request, timeout=TIMEOUT_SECONDS)) as response:
                content = response.read()
                return Answer(
                    response.status, {} if response.status == HTTPStatus.NO_CONTENT else self._object(content)
                )
        except HTTPError as error:
            with error:
                raise self._refusal(error) from None
        except TimeoutError:
            raise self._unreachable(f"no answer within {TIMEOUT_SECONDS:g} s") from None
        except URLError as error:
            raise self._unreachable(str(getattr(error.reason, "strerror", None) or error.reason)) from None
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(f"the connection broke: {type(error).__name__}") from None

    def _refusal(self, error: HTTPError) -> click.ClickException:
        if error.headers.get_content_type() == "application/problem+json":
            try:
                problem = self._object(error.read())
            except (OSError, http.client.HTTPException):
                problem = JsonObject()
            advice = _LOG_IN if error.code == HTTPStatus.UNAUTHORIZED else ""
            return ApiRefused(error.code, plain(problem.get("detail") or problem.get("title") or error.code) + advice)
        target = error.headers.get("Location")
        advice = f"it sends us on to {plain(target)}" if target else "this is no scheduler API"
        return ApiRefused(error.code, f"{self._base} answered {error.code}: {advice}. Correct --url or SCHEDULER_URL.")

    def _object(self, body: bytes) -> JsonObject:
        try:
            document: object = json.loads(body)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise ApiRefused(HTTPStatus.OK, f"{self._base} is no scheduler API: it did not answer JSON. Correct --url.")
        return cast("JsonObject", document)

    def _unreachable(self, reason: str) -> ApiUnreachable:
        return ApiUnreachable(
            f"The API at {self._base} cannot be reached ({plain(reason)}). Start it with `scheduler up` or "
            "`scheduler api`, or say where it is with --url or SCHEDULER_URL."
        )


def _connect(_context: click.Context, _option: click.Parameter, url: str | None) -> Api:
    settings = load_settings()
    address = url or f"http://127.0.0.1:{settings.api_port}"
    token = os.environ.get("SCHEDULER_TOKEN", "")
    if not token and _is_loopback(_split(address).hostname or ""):  # the key of this machine goes nowhere else
        token = read_secret(api_key_file(settings))
    return Api(address, token=token)


url_option: Final = click.option(
    "--url",
    "api",
    envvar="SCHEDULER_URL",
    callback=_connect,
    help="Where the API is; else SCHEDULER_URL, else this machine at API_PORT.",
)
"""Gives a command its `api`."""


def rows_of(document: JsonObject, name: str) -> list[JsonObject]:
    """The rows of a list; raises ApiRefused when `document` is no such list."""
    rows = document.get(name)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ApiRefused(HTTPStatus.OK, f"This is no scheduler API: its answer has no {name}. Correct --url.")
    return cast("list[JsonObject]", rows)


def id_of(job: JsonObject) -> int:
    """A job's id; raises ApiRefused when `job` is none."""
    if not isinstance(found := job.get("id"), int):
        raise ApiRefused(
            HTTPStatus.OK, "This is no scheduler API: it answered something else than a job. Correct --url."
        )
    return found


class _Response(Protocol):
    """The part of http.client.HTTPResponse that is used here: urllib does not type what it opens."""

    status: int

    def read(self) -> bytes: ...
    def __enter__(self) -> "_Response": ...
    def __exit__(self, *error: object) -> None: ...


def _split(url: str) -> SplitResult:
    advice = "give something like http://127.0.0.1:3000"
    if not (url.isascii() and url.isprintable()) or " " in url:
        raise ConfigurationError(f"The API's address holds characters that no address has: {advice}.")
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        raise ConfigurationError(f"The API's address is not a URL: {advice}.") from None
    if not is_address or parts.query or parts.fragment:
        raise ConfigurationError(f"The API's address is not an http or https URL: {advice}.")
    if parts.username is not None:
        raise ConfigurationError("The API's address holds a user name: set SCHEDULER_TOKEN instead.")
    return parts


def _opener(parts: SplitResult) -> urllib.request.OpenerDirector:
    """http and https and nothing else: no files, and no redirect, which would carry the token elsewhere."""
    opener = urllib.request.OpenerDirector()
    handlers = (
        urllib.request.ProxyHandler({} if _is_loopback(parts.hostname or "") else None),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    )
    for handler in handlers:
        opener.add_handler(handler)
    return opener


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
