"""Runs the built-in types as an executor would, without one."""

import asyncio
import inspect
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from scheduler.domain.job import JsonObject
from scheduler.tasks import TaskContext
from scheduler.tasks.builtin import BuiltinConfig, builtin_tasks
from scheduler.tasks.registry import Registry
from scheduler.tasks.send_email import SmtpConfig

NO_SMTP = SmtpConfig("127.0.0.1", 1)


@dataclass
class Bench:
    """A registry of the built-in types, and the log of what ran on it."""

    roots: tuple[Path, ...] = ()
    allow: tuple[str, ...] = ()
    smtp: SmtpConfig = NO_SMTP
    log: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.registry = Registry(builtin_tasks(BuiltinConfig(self.roots, self.allow, self.smtp)))

    async def run(self, name: str, data: JsonObject, *, attempt: int = 1) -> JsonObject:
        """Validate and run; a blocking handler runs in a thread."""
        declared = self.registry.get(name)
        context = TaskContext(
            job_id=42,
            attempt=attempt,
            max_attempts=3,
            on_log=self.log.append,
            on_progress=lambda _fraction, _message: None,
            is_cancelled=lambda: False,
        )
        model = self.registry.validate(name, data)
        if inspect.iscoroutinefunction(declared.handler):
            return cast("JsonObject", await declared.handler(model, context))
        return cast("JsonObject", await asyncio.to_thread(declared.handler, model, context))

    def run_alone(self, name: str, data: JsonObject) -> JsonObject:
        """Run one on a loop of its own, and close what it holds."""

        async def alone() -> JsonObject:
            try:
                return await self.run(name, data)
            finally:
                await self.registry.aclose()

        return asyncio.run(alone())
