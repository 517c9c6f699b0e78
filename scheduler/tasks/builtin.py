"""The built-in task types, bound to what this installation lets them use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scheduler.tasks.addresses import AllowList
from scheduler.tasks.api import api_task
from scheduler.tasks.create_folder import create_folder_task
from scheduler.tasks.generate_report import Summarise, generate_report_task, nothing_to_summarise
from scheduler.tasks.mailer import Mailer
from scheduler.tasks.network import NetworkGuard
from scheduler.tasks.noop import noop_task
from scheduler.tasks.query_database import TellIdentity, query_database_task
from scheduler.tasks.read_file import read_file_task
from scheduler.tasks.registry import TaskType
from scheduler.tasks.send_email import send_email_task
from scheduler.tasks.signature import Signer
from scheduler.tasks.smtp_pool import SmtpConfig
from scheduler.tasks.workspace import Workspace
from scheduler.tasks.write_file import write_file_task


@dataclass(frozen=True, slots=True)
class BuiltinConfig:
    """Folders, networks, servers and databases that the built-in types may use."""

    workspace_roots: tuple[Path, ...]
    api_allow: tuple[str, ...]
    smtp: SmtpConfig
    api_signing_secret: str = ""
    datasources: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    summarise: Summarise = nothing_to_summarise
    own_identity: TellIdentity | None = None
    """Who and where the scheduler itself is at PostgreSQL, where tasks run."""


def builtin_tasks(config: BuiltinConfig) -> list[TaskType]:
    """Every built-in type; raises ConfigurationError when something of `config` is malformed."""
    workspace = Workspace(config.workspace_roots)
    mailer = Mailer(config.smtp)
    signer = Signer(config.api_signing_secret) if config.api_signing_secret else None
    return [
        noop_task(),
        create_folder_task(workspace),
        write_file_task(workspace),
        read_file_task(workspace),
        send_email_task(mailer),
        api_task(NetworkGuard(AllowList(config.api_allow)), signer),
        query_database_task(config.datasources, config.own_identity),
        generate_report_task(workspace, mailer, config.summarise),
    ]
