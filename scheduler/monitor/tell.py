"""Send the messages of alerts: by webhook and by e-mail, again and again until somebody takes them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from scheduler.domain.errors import TaskError
from scheduler.logs import get_log
from scheduler.store.alerts import AlertMessage, forget_message, forget_old_messages, take_message
from scheduler.store.connection import Database

log = get_log("alerts")

SEND_SECONDS: Final = 10.0
"""The longest that one message may take: the monitor has other duties."""

Channel = Callable[[AlertMessage], Awaitable[None]]
"""Sends a message. Raises TaskError, whose text may be logged, and OSError."""


@dataclass(frozen=True, slots=True)
class Tell:
    """The duty of telling, over channels by their names; one monitor tells for all."""

    database: Database
    channels: Mapping[str, Channel]

    def step(self) -> bool:
        """Send one message; whether there was one."""
        with self.database.connection() as conn:
            message = take_message(conn, self.channels.keys())
            given_up = [] if message else forget_old_messages(conn)
        if given_up:
            log.error("gave up messages that nobody took for a day", alerts=given_up)
        if message is None:
            return False
        try:
            asyncio.run(self._send(message))
        except (TaskError, OSError, TimeoutError) as fault:
            # The text of a fault on the way may hold the address, and that a secret.
            reason = str(fault) if isinstance(fault, TaskError) else type(fault).__name__
            log.warning("alert not told", channel=message.channel, alert=message.alert, error=reason)
        else:
            with self.database.connection() as conn:
                forget_message(conn, message.id)
        return True

    async def _send(self, message: AlertMessage) -> None:
        async with asyncio.timeout(SEND_SECONDS):
            await self.channels[message.channel](message)
