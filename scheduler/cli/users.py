"""`scheduler users`: accounts, made beside the database, and managed by admins through the REST API."""

import sys
from typing import Final

import click

from scheduler.cli.client import Api, ApiGroup
from scheduler.cli.options import calls_api, present, present_all
from scheduler.cli.terminal import plain
from scheduler.client import NotFound, User
from scheduler.domain.account import Role
from scheduler.settings import find_settings
from scheduler.wiring.accounts import create_user, new_account

_COLUMNS: Final = {"ID": "id", "E-MAIL": "email", "ROLE": "role", "ACTIVE": "active", "CREATED": "created_at"}


@click.group(cls=ApiGroup)
def users() -> None:
    """Create accounts, beside the database; list and change them, as an admin through the REST API."""


@users.command()
@click.option("--email", required=True)
@click.option("--admin", is_flag=True, help="With the role admin; else user.")
@click.option("--password-stdin", is_flag=True, help="Read the password from stdin instead of asking for it.")
def create(*, email: str, admin: bool, password_stdin: bool) -> None:
    """Create an account, beside the database: no API and no log-in is needed."""
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    account = create_user(find_settings(), new_account(email, password, Role.ADMIN if admin else Role.USER))
    click.echo(f"created {account.email} with the role {account.role.value}")


@users.command("list")
@calls_api
def list_(api: Api, *, as_json: bool) -> None:
    """List accounts, newest first."""
    present_all(api.users.list(), _COLUMNS, as_json=as_json)


@users.command()
@click.argument("email")
@calls_api
def disable(api: Api, *, email: str, as_json: bool) -> None:
    """Shut an account out: it is logged out everywhere, and its keys are good for nothing."""
    _present(api.users.edit(_id_of(api, email), active=False), as_json=as_json)


@users.command()
@click.argument("email")
@calls_api
def enable(api: Api, *, email: str, as_json: bool) -> None:
    """Let an account in again."""
    _present(api.users.edit(_id_of(api, email), active=True), as_json=as_json)


@users.command()
@click.argument("email")
@click.argument("role", type=click.Choice([role.value for role in Role]))
@calls_api
def role(api: Api, *, email: str, role: str, as_json: bool) -> None:
    """Give an account another role."""
    _present(api.users.edit(_id_of(api, email), role=role), as_json=as_json)


def _id_of(api: Api, email: str) -> int:
    found = next((user.id for user in api.users.list() if user.email == email.lower()), None)
    if found is None:
        raise NotFound(404, f"There is no account {email}: `scheduler users list` shows them.")
    return found


def _present(user: User, *, as_json: bool) -> None:
    standing = "active" if user.active else "disabled"
    present(user, f"{plain(user.email)} is {standing}, with the role {plain(user.role)}", as_json=as_json)
