"""`scheduler users`: accounts, made by whoever may read the database's settings."""

import sys

import click

from scheduler.domain.account import Role
from scheduler.settings import find_settings
from scheduler.wiring.accounts import create_user, new_account


@click.group()
def users() -> None:
    """Create accounts, beside the database."""


@users.command()
@click.option("--email", required=True)
@click.option("--admin", is_flag=True, help="With the role admin; else user.")
@click.option("--password-stdin", is_flag=True, help="Read the password from stdin instead of asking for it.")
def create(*, email: str, admin: bool, password_stdin: bool) -> None:
    """Create an account."""
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    account = create_user(find_settings(), new_account(email, password, Role.ADMIN if admin else Role.USER))
    click.echo(f"created {account.email} with the role {account.role.value}")
