"""The command `scheduler`."""

import importlib
import os
import sys
from typing import Final

import click

from scheduler import __version__
from scheduler.domain.errors import SchedulerError

_COMMANDS: Final = {
    "up": "up",
    "api": "daemons",
    "picker": "daemons",
    "executor": "daemons",
    "monitor": "daemons",
    "migrate": "daemons",
    "users": "users",
    "jobs": "jobs",
    "schedules": "schedules",
    "templates": "templates",
    "queues": "queues",
    "keys": "keys",
    "login": "login",
    "logout": "login",
    "whoami": "login",
    "completion": "completion",
    "doctor": "doctor",
    "bench": "bench",
}
"""Each command's module in this folder; the command is an attribute of its own name there."""


_INTERRUPTED: Final = 130


class Commands(click.Group):
    """A group that imports a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return [*_COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the same
        if (module := _COMMANDS.get(cmd_name)) is None:
            return None
        command: object = getattr(importlib.import_module(f"scheduler.cli.{module}"), cmd_name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def commands() -> None:
    """A self-hosted distributed job scheduler."""


def main() -> None:
    """Run the command line; an error of ours is one line on stderr, and exit code 1."""
    try:
        status: object = commands(standalone_mode=False)
        sys.stdout.flush()
    except SchedulerError as error:
        click.echo(f"scheduler: {error}", err=True)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(_INTERRUPTED)
    except BrokenPipeError:  # whoever read it has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(status if isinstance(status, int) else 0)
