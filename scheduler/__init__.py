"""A self-hosted distributed job scheduler: run this task at this time, once, with a record of it."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("scheduler")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0.0.0"
