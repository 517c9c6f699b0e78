"""Send the messages of alerts: by webhook and by e-mail, again and again until somebody takes them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

import aiohttp

from scheduler.domain.errors import TaskError
from scheduler.logs import get_log
from scheduler.store.alerts import AlertMessage, forget_message, forget_old_messages, take_message
from scheduler.store.connection import Database
from scheduler.tasks.email_message import SendEmail
from scheduler.tasks.mailer import Mailer
from scheduler.tasks.smtp_pool import SmtpConfig

log = get_log("alerts")

SEND_SECONDS: Final = 10.0
"""The longest that one message may take: the monitor has other duties."""

Channel = Callable[[AlertMessage], Awaitable[None]]
"""Sends a message. Raises TaskError, aiohttp.ClientError and OSError."""


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
        except (TaskError, aiohttp.ClientError, OSError, TimeoutError) as fault:
            # The text of a fault of the web may hold the URL, and that a secret.
            reason = str(fault) if isinstance(fault, TaskError) else type(fault).__name__
            log.warning("alert not told", channel=message.channel, alert=message.alert, error=reason)
        else:
            with self.database.connection() as conn:
                forget_message(conn, message.id)
        return True

    async def _send(self, message: AlertMessage) -> None:
        async with asyncio.timeout(SEND_SECONDS):
            await self.channels[message.channel](message)


def webhook(url: str) -> Channel:
    """POSTs the message as JSON; an operator's own address, which may be an inner one."""

    async def post(message: AlertMessage) -> None:
        body = {
            "id": message.key,
            "alert": message.alert,
            "news": message.news,
            "summary": message.summary,
            "since": message.since.isoformat(),
            "at": message.created_at.isoformat(),
            "text": _line(message),
        }
        async with (
            aiohttp.ClientSession(trust_env=False) as session,
            session.post(url, json=body, headers={"Idempotency-Key": message.key}, allow_redirects=False) as response,
        ):
            if not 200 <= response.status < 300:
                raise TaskError(f"The webhook answered {response.status}: check ALERT_WEBHOOK_URL.")

    return post


def email(smtp: SmtpConfig, to: list[str]) -> Channel:
    """Mails the message. Raises pydantic's ValidationError for a wrong address, ConfigurationError for a sender."""
    Mailer(smtp)
    _mail(to, "", "")

    async def send(message: AlertMessage) -> None:
        text = f"{message.summary}\n\nAlert: {message.alert}\nSince: {message.since.isoformat()}\n"
        mailer = Mailer(smtp)
        try:
            await mailer.deliver(_mail(to, _line(message), text), key=message.key)
        finally:
            await mailer.close()

    return send


def _mail(to: list[str], subject: str, text: str) -> SendEmail:
    return SendEmail.model_validate({"to": to, "subject": subject, "message": text})


def _line(message: AlertMessage) -> str:
    return f"[{message.news}] {message.summary}"
