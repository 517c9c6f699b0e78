"""The API as a command calls it: where it is, with whose credentials, and what its errors come to."""

import os
from typing import Final, cast

import click

from scheduler.cli.kept_log_in import KeptLogIn
from scheduler.cli.terminal import plain
from scheduler.client import Client, ClientError, Forbidden, NotFound, NotTheApi, Retries, Unauthenticated, Unreachable
from scheduler.client.address import checked_url, is_loopback
from scheduler.client.calls import Answer, Call, Query, document, nothing
from scheduler.domain.job import JsonObject
from scheduler.settings import api_key_file, load_settings, read_secret

_PATIENCE: Final = Retries(attempts=4, first_seconds=0.2)

_ADVICE: Final[dict[type[ClientError], str]] = {
    Unauthenticated: " Set SCHEDULER_TOKEN to an API key, or `scheduler login`.",
    Unreachable: " Start it with `scheduler up` or `scheduler api`, or say where it is with --url or SCHEDULER_URL.",
    NotTheApi: " That is --url or SCHEDULER_URL.",
}
_EXIT_CODES: Final[dict[type[ClientError], int]] = {NotFound: 3, Unauthenticated: 4, Forbidden: 4, Unreachable: 5}


class Api(Client):
    """The client, and its answers as the documents that they are."""

    def get(self, path: str, query: Query | None = None) -> JsonObject:
        """What stands at `path`; a parameter that is None is left out."""
        return self.send(Call("GET", path, document, query=query or {}))

    def post(self, path: str, body: JsonObject, *, key: str | None = None) -> tuple[int, JsonObject]:
        """Send `body` to `path`, once for all attempts under this idempotency key; the status and the answer."""
        return self.send(Call("POST", path, _with_status, body=body, key=key))

    def delete(self, path: str) -> None:
        """Remove what stands at `path`."""
        self.send(Call("DELETE", path, nothing))


class ApiFault(click.ClickException):
    """An error of the client's as one line, with advice and an exit code for scripts."""

    def __init__(self, error: ClientError) -> None:
        super().__init__(plain(str(error)) + _ADVICE.get(type(error), ""))
        code = _EXIT_CODES.get(type(error), 1)
        self.exit_code = code  # pyright: ignore[reportAttributeAccessIssue] - click reads it from the instance

    def show(self, file: object = None) -> None:  # noqa: ARG002 - click's signature
        click.echo(f"scheduler: {self.message}", err=True)


class ApiCommand(click.Command):
    """A command whose errors of the client end it as ApiFault."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except ClientError as error:
            raise ApiFault(error) from None


class ApiGroup(click.Group):
    """Such commands about one noun."""

    command_class = ApiCommand


def _with_status(answer: Answer) -> tuple[int, JsonObject]:
    return answer.status, answer.document()


def _connect(context: click.Context, _option: click.Parameter, url: str | None) -> Api:
    settings = load_settings()
    address = checked_url(url or f"http://127.0.0.1:{settings.api_port}")
    token, keeper = os.environ.get("SCHEDULER_TOKEN", ""), KeptLogIn(address)
    if not token and keeper.load() is None and is_loopback(address):  # the key of this machine goes nowhere else
        token = read_secret(api_key_file(settings))
    return context.with_resource(Api(address, token, keeper=keeper, retries=_PATIENCE))


url_option: Final = click.option(
    "--url",
    "api",
    envvar="SCHEDULER_URL",
    callback=_connect,
    help="Where the API is; else SCHEDULER_URL, else this machine at API_PORT.",
)
"""Gives a command its `api`."""


def rows_of(document: JsonObject, name: str) -> list[JsonObject]:
    """The rows of a list; raises NotTheApi when `document` is no such list."""
    rows = document.get(name)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise NotTheApi(f"This is no scheduler API: its answer has no {name}. Correct its address.")
    return cast("list[JsonObject]", rows)


def id_of(job: JsonObject) -> int:
    """A job's id; raises NotTheApi when `job` is none."""
    if not isinstance(found := job.get("id"), int):
        raise NotTheApi("This is no scheduler API: it answered something else than a job. Correct its address.")
    return found
