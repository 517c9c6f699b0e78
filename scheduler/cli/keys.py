"""`scheduler keys`: API keys for programs, through the REST API."""

from typing import Final

import click

from scheduler.cli.client import Api, ApiGroup
from scheduler.cli.options import ID, calls_api, present_all
from scheduler.cli.terminal import plain, print_json

_COLUMNS: Final = {
    "ID": "id",
    "NAME": "name",
    "PREFIX": "prefix",
    "SCOPE": "scope",
    "CREATED": "created_at",
    "EXPIRES": "expires_at",
    "LAST USED": "last_used_at",
}


@click.group(cls=ApiGroup)
def keys() -> None:
    """Create, list and remove API keys. Only a log-in may: `scheduler login` first."""


@keys.command()
@click.argument("name")
@click.option("--scope", type=click.Choice(["read", "write"]), default="write", show_default=True)
@click.option("--expires-at", metavar="RFC3339", help="Never, if absent.")
@calls_api
def create(api: Api, *, name: str, scope: str, expires_at: str | None, as_json: bool) -> None:
    """Create a key, and print it: it is shown this once."""
    key = api.keys.create(name, scope, expires_at=expires_at)
    print_json(key.model_dump(mode="json")) if as_json else click.echo(plain(key.key))


@keys.command("list")
@calls_api
def list_(api: Api, *, as_json: bool) -> None:
    """List keys, without what makes them good."""
    present_all(api.keys.list(), _COLUMNS, as_json=as_json)


@keys.command()
@click.argument("key_id", metavar="ID", type=ID)
@calls_api
def delete(api: Api, *, key_id: int, as_json: bool) -> None:
    """Remove a key: within seconds it is good for nothing."""
    api.keys.delete(key_id)
    print_json({"deleted": key_id}) if as_json else click.echo(f"key {key_id} is gone")
