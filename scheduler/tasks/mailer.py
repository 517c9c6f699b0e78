"""Messages to the SMTP server, and what its answers mean."""

from dataclasses import dataclass
from typing import Final

import aiosmtplib

from scheduler.domain.errors import ConfigurationError, PermanentError, TaskError
from scheduler.domain.job import JsonObject
from scheduler.tasks.context import TaskContext
from scheduler.tasks.email_message import SendEmail, build_message, parsed
from scheduler.tasks.smtp_pool import SmtpConfig, SmtpPool
from scheduler.tasks.text import cut, storable

ERROR_TYPE: Final = "smtp"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the server said: whom it took the message for, and whom not."""

    message_id: str
    accepted: list[str]
    refused: dict[str, str]


class Mailer:
    """Sends over one SMTP server; raises ConfigurationError when its sender is no address."""

    def __init__(self, smtp: SmtpConfig) -> None:
        try:
            parsed(smtp.sender)
        except ValueError as wrong:
            raise ConfigurationError(f"SMTP_FROM: {smtp.sender!r} {wrong}.") from None
        self._smtp = smtp
        self._pool = SmtpPool(smtp)
        self.close = self._pool.close

    async def send(self, data: SendEmail, context: TaskContext) -> JsonObject:
        """Send the mail of this job. Returns {"message_id", "accepted", "refused"}; raises TaskError."""
        receipt = await self.deliver(data, key=context.idempotency_key)
        context.log("%s took the message for %d recipients", self._smtp.host, len(receipt.accepted))
        return {
            "message_id": receipt.message_id,
            "accepted": [*receipt.accepted],
            "refused": {**receipt.refused},
        }

    async def deliver(self, data: SendEmail, *, key: str) -> Receipt:
        """Send a mail whose Message-ID is made of `key`; raises TaskError."""
        message = build_message(data, key=key, default_sender=self._smtp.sender)
        try:
            async with self._pool.connection() as client:
                answers, _ = await client.send_message(
                    message.content, sender=message.sender, recipients=message.recipients
                )
        except (aiosmtplib.SMTPException, OSError) as fault:
            raise _explained(fault) from None
        return Receipt(
            message_id=message.content["Message-ID"],
            accepted=[each for each in message.recipients if each not in answers],
            refused={each: _said(answer.code, answer.message) for each, answer in answers.items()},
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
