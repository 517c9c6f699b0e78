"""A whole system of real processes, as the command line's tests have it."""

from tests.integration.cli.conftest import system

__all__ = ["system"]
