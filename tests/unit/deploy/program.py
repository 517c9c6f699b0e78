"""What a deployment may rely on: the settings that there are, the commands, and where the files lie."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from click import Context
from pydantic import AliasChoices

from scheduler.cli import commands
from scheduler.settings import Settings

ROOT: Final = Path(__file__).parents[3]

SETTINGS: Final = frozenset(
    (str(field.validation_alias.choices[0]) if isinstance(field.validation_alias, AliasChoices) else name).upper()
    for name, field in Settings.model_fields.items()
)
"""The name of every setting in the environment."""

IMAGE_ONLY: Final = frozenset({"PROBE_PORT"})
"""What the health check of the image reads; no setting of the program."""


def require_settings(names: Iterable[str]) -> None:
    """Fail for names that no process would read."""
    assert not {*names} - SETTINGS - IMAGE_ONLY


def require_command(name: str) -> None:
    """Fail for what `scheduler` does not know."""
    assert commands.get_command(Context(commands), name) is not None
