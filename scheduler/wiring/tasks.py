"""The task types of this installation."""

import os
import sys

from scheduler.settings import Settings
from scheduler.tasks.builtin import BuiltinConfig, builtin_tasks
from scheduler.tasks.registry import Registry, load_registry
from scheduler.tasks.send_email import SmtpConfig


def task_registry(settings: Settings) -> Registry:
    """Every task type that this installation knows."""
    config = BuiltinConfig(
        workspace_roots=settings.workspaces,
        api_allow=settings.api_task_allow,
        smtp=SmtpConfig(
            host=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_username,
            password=settings.smtp_password.get_secret_value(),
            tls=settings.smtp_tls,
            sender=settings.smtp_from,
        ),
    )
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # where .env lies, SCHEDULER_TASK_MODULES is found, too
    return load_registry(builtin_tasks(config), settings.task_modules)
