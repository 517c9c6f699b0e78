"""`scheduler login`, `logout` and `whoami`: a log-in for commands, kept for this user alone."""

import os
import sys

import click

from scheduler.cli.client import Api, ApiCommand, url_option
from scheduler.cli.kept_log_in import KeptLogIn
from scheduler.cli.options import calls_api, present
from scheduler.cli.terminal import plain
from scheduler.client import Client


@click.command(cls=ApiCommand)
@click.option("--email", prompt="E-mail", help="Asked for, if absent.")
@click.option("--password-stdin", is_flag=True, help="Read the password from stdin instead of asking for it.")
@url_option
def login(api: Api, *, email: str, password_stdin: bool) -> None:
    """Log in, for the commands of this user to this API.

    It is kept in XDG_CONFIG_HOME/scheduler (else ~/.config/scheduler), readable by nobody else, and renews itself.
    SCHEDULER_TOKEN, where set, goes before it.
    """
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else click.prompt("Password", hide_input=True)
    with Client(api.url, keeper=KeptLogIn(api.url)) as client:
        client.log_in(email, password)
        me = client.account.me()
    click.echo(f"logged in as {plain(me.email)}, with the role {plain(me.role)}")
    if os.environ.get("SCHEDULER_TOKEN"):
        click.echo("scheduler: SCHEDULER_TOKEN is set, and goes before this log-in.", err=True)


@click.command(cls=ApiCommand)
@url_option
def logout(api: Api) -> None:
    """Log out, and forget the log-in."""
    with Client(api.url, keeper=KeptLogIn(api.url)) as client:
        client.log_out()
    click.echo("logged out")


@click.command(cls=ApiCommand)
@calls_api
def whoami(api: Api, *, as_json: bool) -> None:
    """Show whose credentials the commands use."""
    me = api.account.me()
    present(me, f"{plain(me.email)}, with the role {plain(me.role)}", as_json=as_json)
