"""Runs the built-in types as an executor would, without one."""

import asyncio
import inspect
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import uvloop

from scheduler.domain.job import JsonObject
from scheduler.tasks import TaskContext
from scheduler.tasks.builtin import BuiltinConfig, builtin_tasks
from scheduler.tasks.generate_report import Summarise, nothing_to_summarise
from scheduler.tasks.registry import Registry
from scheduler.tasks.smtp_pool import SmtpConfig

NO_SMTP = SmtpConfig("127.0.0.1", 1)


@dataclass
class Bench:
    """A registry of the built-in types, and the log of what ran on it."""

    roots: tuple[Path, ...] = ()
    allow: tuple[str, ...] = ()
    smtp: SmtpConfig = NO_SMTP
    signing_secret: str = ""
    datasources: dict[str, str] = field(default_factory=dict[str, str])
    summarise: Summarise = nothing_to_summarise
    registry: Registry = field(default_factory=lambda: Registry([]))
    log: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        if not self.registry.types():
            config = BuiltinConfig(
                self.roots, self.allow, self.smtp, self.signing_secret, self.datasources, self.summarise
            )
            self.registry = Registry(builtin_tasks(config))

    async def run(self, name: str, data: JsonObject, *, attempt: int = 1) -> JsonObject:
        """Validate and run; a blocking handler runs in a thread."""
        declared = self.registry.get(name)
        context = self.context(attempt=attempt)
        model = self.registry.validate(name, data)
        if inspect.iscoroutinefunction(declared.handler):
            return cast("JsonObject", await declared.handler(model, context))
        return cast("JsonObject", await asyncio.to_thread(declared.handler, model, context))

    def call(self, name: str, data: JsonObject) -> JsonObject:
        """Validate and run a blocking handler right here."""
        return cast("JsonObject", self.registry.get(name).handler(self.registry.validate(name, data), self.context()))

    def context(self, *, attempt: int = 1) -> TaskContext:
        """Attempt so and so at job 42, which logs here."""
        return TaskContext(
            job_id=42,
            attempt=attempt,
            max_attempts=3,
            on_log=self.log.append,
            on_progress=lambda _fraction, _message: None,
            is_cancelled=lambda: False,
        )

    def run_alone(self, name: str, data: JsonObject) -> JsonObject:
        """Run one on a loop of its own, and close what it holds."""

        async def alone() -> JsonObject:
            try:
                return await self.run(name, data)
            finally:
                await self.registry.aclose()

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as an executor's
            return runner.run(alone())


def untouched(outside: Path) -> bool:
    """Whether the folder beside the workspace is as it was."""
    return [each.name for each in outside.iterdir()] == ["secret"] and (outside / "secret").read_text() == "secret"


def leftovers(root: Path) -> list[Path]:
    """Temporary files that were left behind."""
    return [*root.rglob(".scheduler-*")]
