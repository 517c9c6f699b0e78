"""The built-in task types, bound to what this installation lets them use."""

from dataclasses import dataclass
from pathlib import Path

from scheduler.tasks.addresses import AllowList
from scheduler.tasks.api import api_task
from scheduler.tasks.create_folder import create_folder_task
from scheduler.tasks.network import NetworkGuard
from scheduler.tasks.noop import noop_task
from scheduler.tasks.registry import TaskType
from scheduler.tasks.send_email import SmtpConfig, send_email_task
from scheduler.tasks.workspace import Workspace
from scheduler.tasks.write_file import write_file_task


@dataclass(frozen=True, slots=True)
class BuiltinConfig:
    """Folders, networks and servers that the built-in types may use."""

    workspace_roots: tuple[Path, ...]
    api_allow: tuple[str, ...]
    smtp: SmtpConfig


def builtin_tasks(config: BuiltinConfig) -> list[TaskType]:
    """Every built-in type; raises ConfigurationError when an entry of `api_allow` or the sender is malformed."""
    workspace = Workspace(config.workspace_roots)
    return [
        noop_task(),
        create_folder_task(workspace),
        write_file_task(workspace),
        send_email_task(config.smtp),
        api_task(NetworkGuard(AllowList(config.api_allow))),
    ]
