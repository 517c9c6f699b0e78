"""The task types of this installation."""

import os
import sys
from datetime import timedelta
from functools import cache
from itertools import cycle
from typing import Final, NamedTuple

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from scheduler.domain.errors import ConfigurationError
from scheduler.domain.summary import JobsSummary
from scheduler.settings import Settings
from scheduler.store.connection import Database, fetch_one
from scheduler.store.summary import summarise_for
from scheduler.tasks.builtin import BuiltinConfig, builtin_tasks
from scheduler.tasks.generate_report import Summarise, nothing_to_summarise
from scheduler.tasks.query_database import IDENTITY, Identity, TellIdentity
from scheduler.tasks.registry import Registry, load_registry
from scheduler.tasks.smtp_pool import SmtpConfig

_POSTGRESQL_PORT: Final = "5432"


def task_registry(settings: Settings, reports: Database | None = None) -> Registry:
    """Every task type that this installation knows. A process that runs them gives the pool that reports read from."""
    config = BuiltinConfig(
        workspace_roots=settings.workspaces,
        api_allow=settings.api_task_allow,
        smtp=smtp_config(settings),
        api_signing_secret=settings.api_task_signing_secret.get_secret_value(),
        datasources=_datasources(settings),
        summarise=_summaries(reports) if reports else nothing_to_summarise,
        own_identity=_own_identity(reports) if reports else None,
    )
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # where .env lies, SCHEDULER_TASK_MODULES is found, too
    return load_registry(builtin_tasks(config), settings.task_modules)


def smtp_config(settings: Settings) -> SmtpConfig:
    """The SMTP server of this installation."""
    return SmtpConfig(
        host=settings.smtp_host,
        port=settings.smtp_port,
        username=settings.smtp_username,
        password=settings.smtp_password.get_secret_value(),
        tls=settings.smtp_tls,
        sender=settings.smtp_from,
    )


def _summaries(database: Database) -> Summarise:
    def summarise(job_id: int, window: timedelta) -> JobsSummary | None:
        with database.connection() as connection:
            return summarise_for(connection, job_id, window)

    return summarise


def _own_identity(database: Database) -> TellIdentity:
    @cache
    def tell() -> Identity:
        with database.connection() as connection:
            row = fetch_one(connection, IDENTITY, {})
        assert row is not None
        return Identity(*row)

    return tell


def _datasources(settings: Settings) -> dict[str, str]:
    """The databases that tasks may read; raises ConfigurationError for one whose URL already shows that it is our own.

    Where a URL leads in the end is asked once more of the server itself, before each query.
    """
    urls = {name: url.get_secret_value() for name, url in settings.datasources.items()}
    own = _Shown.by(settings.database_url.get_secret_value())
    for name, url in urls.items():
        if _Shown.by(url).is_too_near(own):
            raise ConfigurationError(
                f"DATASOURCES: {name!r} is the scheduler's own database, or uses its account at PostgreSQL: "
                "name another database, and an account that may read what tasks shall read, and no more."
            )
    return urls


class _Shown(NamedTuple):
    """What a URL shows of where it leads, as it is spelt: to one of several hosts, where there may be a fail-over."""

    servers: frozenset[tuple[str, str]]
    database: str
    account: str

    @classmethod
    def by(cls, url: str) -> "_Shown":
        try:
            parts = {name: str(value or "") for name, value in conninfo_to_dict(url).items()}
        except ProgrammingError:  # whoever connects says so
            parts = {}
        hosts, ports = parts.get("host", "").split(","), (parts.get("port") or _POSTGRESQL_PORT).split(",")
        servers = frozenset(zip(hosts, cycle(ports), strict=False))
        return cls(servers, parts.get("dbname", ""), parts.get("user", ""))

    def is_too_near(self, own: "_Shown") -> bool:
        """Whether it is the same database, or the same account in another."""
        is_there = not self.servers.isdisjoint(own.servers)
        return is_there and (self.database == own.database or self.account == own.account)
