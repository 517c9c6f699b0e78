"""Where the messages of alerts go. What carries them stays out of the memory of a monitor that has nobody to tell."""

import aiohttp

from scheduler.domain.errors import TaskError
from scheduler.monitor.tell import Channel
from scheduler.store.alerts import AlertMessage
from scheduler.tasks.email_message import SendEmail
from scheduler.tasks.mailer import Mailer
from scheduler.tasks.smtp_pool import SmtpConfig


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
        try:
            async with (
                aiohttp.ClientSession(trust_env=False) as session,
                session.post(url, json=body, headers={"Idempotency-Key": message.key}, allow_redirects=False) as answer,
            ):
                status = answer.status
        except aiohttp.ClientError as fault:  # whose text may hold the URL, and that a secret
            raise TaskError(f"The webhook cannot be asked ({type(fault).__name__}): check ALERT_WEBHOOK_URL.") from None
        if not 200 <= status < 300:
            raise TaskError(f"The webhook answered {status}: check ALERT_WEBHOOK_URL.")

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
