"""What a `send_email` job asks for, and the message made of it."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import formatdate, parseaddr
from typing import Annotated, Final

from pydantic import AfterValidator, Field, field_validator, model_validator

from scheduler.tasks.data import Line, TaskData, Text, example

MAX_RECIPIENTS: Final = 1_000
MAX_ATTACHED_BYTES: Final = 25 * 1024 * 1024

_ADDRESS: Final = re.compile(r"[^\s@<>()\[\]\\,;:\"]{1,64}@[^\s@<>()\[\]\\,;:\"_]{1,253}")
_FOLD: Final = re.compile(r"\r\n(?=[ \t])")
_BREAK: Final = re.compile(r"[\x00\r\n]")
_CONTENT_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")


def _is_mailbox(value: str) -> str:
    parsed(value)
    return value


def parsed(mailbox: str) -> Address:
    """`user@example.com` or `Ann Example <ann@example.com>`; raises ValueError."""
    name, address = parseaddr(mailbox) if "<" in mailbox else ("", mailbox.strip())
    if not _ADDRESS.fullmatch(address) or ".." in address:
        raise ValueError("is not an e-mail address (user@example.com, or: Name <user@example.com>)")
    user, _, domain = address.rpartition("@")
    try:
        return Address(name, user, domain.encode("idna").decode())
    except (ValueError, IndexError):
        raise ValueError("is not an e-mail address (user@example.com, or: Name <user@example.com>)") from None


Mailbox = Annotated[Line, Field(max_length=512), AfterValidator(_is_mailbox)]
Mailboxes = Mailbox | Annotated[list[Mailbox], Field(max_length=MAX_RECIPIENTS)]


class Attachment(TaskData):
    """A file that goes along."""

    filename: Annotated[Line, Field(min_length=1, max_length=255)]
    content_base64: Text
    content_type: Line = "application/octet-stream"

    @field_validator("content_base64")
    @classmethod
    def _is_base64(cls, value: str) -> str:
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("is not valid base64") from None
        return value

    @field_validator("content_type")
    @classmethod
    def _is_a_leaf_type(cls, value: str) -> str:
        if not _CONTENT_TYPE.fullmatch(value.lower()) or value.lower().startswith(("multipart/", "message/")):
            raise ValueError("must be like 'application/pdf', and neither multipart/* nor message/*")
        return value.lower()


class SendEmail(TaskData):
    """An e-mail. `to`, `cc` and `bcc` are one address or a list, 1,000 altogether; `message` is the text, `html` its
    other form; attachments are 100 at most, and 25 MiB altogether."""

    model_config = example({"to": "user@example.com", "subject": "Hello", "message": "Welcome."})

    to: Mailbox | Annotated[list[Mailbox], Field(min_length=1, max_length=MAX_RECIPIENTS)]
    cc: Mailboxes = Field(default_factory=list[Mailbox])
    bcc: Mailboxes = Field(default_factory=list[Mailbox])
    subject: Annotated[Line, Field(max_length=2_000)] = ""
    message: Text = ""
    html: Text | None = None
    from_: Annotated[Mailbox | None, Field(alias="from")] = None
    reply_to: Mailboxes = Field(default_factory=list[Mailbox])
    attachments: Annotated[list[Attachment], Field(default_factory=list[Attachment], max_length=100)]

    @model_validator(mode="after")
    def _its_size_is_bounded(self) -> "SendEmail":
        if sum(len(_addresses(each)) for each in (self.to, self.cc, self.bcc)) > MAX_RECIPIENTS:
            raise ValueError(f"at most {MAX_RECIPIENTS} recipients")
        if sum(len(each.content_base64) for each in self.attachments) > MAX_ATTACHED_BYTES / 3 * 4:
            raise ValueError(f"attachments may have {MAX_ATTACHED_BYTES} bytes altogether: send a link instead")
        return self

    @model_validator(mode="after")
    def _headers_stay_headers(self) -> "SendEmail":
        _check_headers(build_message(self, key="job-0", default_sender="check@localhost").content)
        return self


@dataclass(frozen=True, slots=True)
class Message:
    """A message and its envelope. The hidden recipients are in the envelope alone."""

    content: EmailMessage
    sender: str
    recipients: list[str]


def build_message(data: SendEmail, *, key: str, default_sender: str) -> Message:
    """The message; `key` makes its Message-ID, so that a repeated attempt can be recognised as the same mail."""
    sender = parsed(data.from_ or default_sender)
    content = EmailMessage(policy=SMTP)
    content["From"] = sender
    for header, mailboxes in (("To", data.to), ("Cc", data.cc), ("Reply-To", data.reply_to)):
        if addresses := _addresses(mailboxes):
            content[header] = addresses
    content["Subject"] = data.subject
    content["Date"] = formatdate(usegmt=True)
    content["Message-ID"] = f"<{key}@{sender.domain}>"
    content.set_content(data.message)
    if data.html is not None:
        content.add_alternative(data.html, subtype="html")
    for each in data.attachments:
        maintype, _, subtype = each.content_type.partition("/")
        content.add_attachment(
            base64.b64decode(each.content_base64), maintype=maintype, subtype=subtype, filename=each.filename
        )
    everyone = (*_addresses(data.to), *_addresses(data.cc), *_addresses(data.bcc))
    return Message(content, sender.addr_spec, [*dict.fromkeys(each.addr_spec for each in everyone)])


def _check_headers(message: EmailMessage) -> None:
    """Raise ValueError when a header, as it would go out, breaks into two.

    A line break need not be seen in the value: the email package decodes `=?utf-8?q?a=0D=0ABcc:...?=` when a header
    is set, and the older ones of the supported Pythons write the break that was in it.
    """
    for part in message.walk():
        for name, value in part.items():
            for policy in (SMTP, SMTPUTF8):
                line = _FOLD.sub("", policy.fold(name, value).removesuffix("\r\n"))
                if _BREAK.search(line):
                    raise ValueError("a header must not hold line breaks, encoded ones included")


def _addresses(mailboxes: str | Sequence[str]) -> list[Address]:
    return [parsed(each) for each in ([mailboxes] if isinstance(mailboxes, str) else mailboxes)]
