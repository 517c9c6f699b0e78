"""`send_email`: sends a message through the configured SMTP server."""

from scheduler.domain.job import JsonObject
from scheduler.tasks.context import TaskContext
from scheduler.tasks.email_message import SendEmail
from scheduler.tasks.mailer import Mailer
from scheduler.tasks.registry import Kind, TaskType


def send_email_task(mailer: Mailer) -> TaskType:
    """The type `send_email`, bound to a server."""

    async def send_email(data: SendEmail, context: TaskContext) -> JsonObject:
        return await mailer.send(data, context)

    return TaskType(
        "send_email",
        Kind.ASYNC,
        SendEmail,
        send_email,
        description="Sends an e-mail. Its Message-ID is the same for every attempt.",
        close=mailer.close,
    )
