"""`send_email`: sends a message through the configured SMTP server."""

from dataclasses import dataclass, field
from typing import Final, Literal

import aiosmtplib

from scheduler.domain.errors import ConfigurationError, PermanentError, TaskError
from scheduler.domain.job import JsonObject
from scheduler.tasks.context import TaskContext
from scheduler.tasks.email_message import SendEmail, build_message, parsed
from scheduler.tasks.registry import Kind, TaskType
from scheduler.tasks.text import cut, storable

ERROR_TYPE: Final = "smtp"
SERVER_SECONDS: Final = 60.0
"""How long the server may take over one answer; the attempt's own timeout bounds the whole."""


@dataclass(frozen=True, slots=True)
class SmtpConfig:
    """The SMTP server and the default sender."""

    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)
    tls: Literal["none", "starttls", "tls"] = "none"
    sender: str = "scheduler@localhost"


def send_email_task(smtp: SmtpConfig) -> TaskType:
    """The type `send_email`, bound to a server; raises ConfigurationError when the sender is no address."""
    try:
        parsed(smtp.sender)
    except ValueError as wrong:
        raise ConfigurationError(f"SMTP_FROM: {smtp.sender!r} {wrong}.") from None

    async def send_email(data: SendEmail, context: TaskContext) -> JsonObject:
        message = build_message(data, key=context.idempotency_key, default_sender=smtp.sender)
        try:
            async with _client(smtp) as client:
                answers, _ = await client.send_message(
                    message.content, sender=message.sender, recipients=message.recipients
                )
        except (aiosmtplib.SMTPException, OSError) as fault:
            raise _explained(fault) from None
        context.log("%s took the message for %d recipients", smtp.host, len(message.recipients) - len(answers))
        accepted = [each for each in message.recipients if each not in answers]
        refused = {each: _said(answer.code, answer.message) for each, answer in answers.items()}
        return {"message_id": message.content["Message-ID"], "accepted": [*accepted], "refused": {**refused}}

    return TaskType(
        "send_email",
        Kind.ASYNC,
        SendEmail,
        send_email,
        description="Sends an e-mail. Its Message-ID is the same for every attempt.",
    )


def _client(smtp: SmtpConfig) -> aiosmtplib.SMTP:
    return aiosmtplib.SMTP(
        hostname=smtp.host,
        port=smtp.port,
        username=smtp.username or None,
        password=smtp.password if smtp.username else None,
        use_tls=smtp.tls == "tls",
        start_tls=smtp.tls == "starttls",
        timeout=SERVER_SECONDS,
    )


def _explained(fault: Exception) -> TaskError:
    """4xx and a broken connection are worth another attempt; 5xx is the server's last word."""
    match fault:
        case aiosmtplib.SMTPRecipientsRefused():
            said = "; ".join(f"{each.recipient}: {_said(each.code, each.message)}" for each in fault.recipients)
            codes = [each.code for each in fault.recipients]
            return _by_code(min(codes, default=450), f"The SMTP server refused every recipient: {cut(said, 2000)}")
        case aiosmtplib.SMTPAuthenticationError():
            said = _said(fault.code, fault.message)
            return _by_code(
                fault.code, f"The SMTP server refused the log-in: {said}. Check SMTP_USERNAME and SMTP_PASSWORD."
            )
        case aiosmtplib.SMTPResponseException():
            return _by_code(fault.code, f"The SMTP server refused the message: {_said(fault.code, fault.message)}")
        case aiosmtplib.SMTPNotSupported():
            return PermanentError(f"The SMTP server lacks what is needed: {fault}.", type=ERROR_TYPE)
        case _:
            reason = cut(storable(str(fault)), 500).rstrip(".") or type(fault).__name__
            return TaskError(
                f"The SMTP server cannot be used: {reason}. Check SMTP_HOST, SMTP_PORT and SMTP_TLS.", type=ERROR_TYPE
            )


def _by_code(code: int, message: str) -> TaskError:
    return (PermanentError if code >= 500 else TaskError)(message, type=ERROR_TYPE)


def _said(code: int, message: str) -> str:
    return cut(storable(f"{code} {message}"), 500)
