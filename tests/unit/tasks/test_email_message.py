"""What a `send_email` job may ask for, and the message made of it."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from scheduler.domain.errors import ConfigurationError
from scheduler.domain.job import JsonObject
from scheduler.tasks.email_message import SendEmail, build_message, parsed
from scheduler.tasks.mailer import Mailer
from scheduler.tasks.smtp_pool import SmtpConfig

ENCODED_BREAK = "=?utf-8?q?a=0D=0ABcc:_x@example.com?="
FRAGMENTS = st.sampled_from(
    [
        "=?utf-8?q?",
        "?=",
        "=0D=0A",
        "=?us-ascii?b?DQpCY2M6IHg=?=",
        "\r",
        "\n",
        "Bcc:",
        '"',
        "<",
        ">",
        "(",
        "é",
        "\t",
        " ",
    ]
)
NASTY = st.lists(FRAGMENTS | st.characters(), max_size=12).map("".join)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"to": []},
        {"to": "nobody"},
        {"to": "a@b@c"},
        {"to": "a b@example.com"},
        {"to": "a@example.com, b@example.com"},
        {"to": "a@example.com\r\nBcc: b@example.com"},
        {"to": "a@example.com>\r\nRCPT TO:<b@example.com"},
        {"to": "a@" + "x" * 300},
        {"to": "a..b@example.com"},
        {"to": "a@example.com", "subject": "x\ny"},
        {"to": "a@example.com", "subject": ENCODED_BREAK},
        {"to": f'"{ENCODED_BREAK}" <a@example.com>'},
        {"to": "a@example.com", "from": "x\r\n@example.com"},
        {"to": "a@example.com", "reply_to": ["b@example.com", "c"]},
        {"to": "a@example.com", "message": "\ud800"},
        {"to": "a@example.com", "attachments": [{"filename": "a\r\nb", "content_base64": ""}]},
        {"to": "a@example.com", "attachments": [{"filename": "a", "content_base64": "%%"}]},
        {
            "to": "a@example.com",
            "attachments": [{"filename": "a", "content_base64": "", "content_type": "message/rfc822"}],
        },
        {"to": "a@example.com", "attachments": [{"filename": "a", "content_base64": "", "content_type": "text"}]},
        {"to": ["a@example.com"] * 600, "bcc": ["a@example.com"] * 600},
        {"to": "a@example.com", "subjekt": "x"},
    ],
)
def test_what_cannot_be_sent_is_refused(data: JsonObject) -> None:
    with pytest.raises(ValidationError):
        SendEmail.model_validate(data)


@settings(deadline=None)
@given(NASTY, NASTY, NASTY)
def test_no_header_that_passes_can_begin_another(subject: str, name: str, filename: str) -> None:
    attachment = {"filename": filename, "content_base64": ""}
    try:
        data = SendEmail.model_validate(
            {"to": f"{name} <a@example.com>", "subject": subject, "attachments": [attachment]}
        )
    except ValidationError:
        return
    raw = build_message(data, key="job-1", default_sender="s@example.com").content.as_bytes()
    head = raw.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b"").replace(b"\r\n\t", b"")
    names = [line.partition(b":")[0] for line in head.split(b"\r\n")]
    assert names == [b"From", b"To", b"Subject", b"Date", b"Message-ID", b"MIME-Version", b"Content-Type"]
    assert not {b"\r", b"\n"} & {head[at : at + 1] for at in range(len(head)) if head[at : at + 2] != b"\r\n"} - {b"\n"}


def test_the_message_and_its_envelope() -> None:
    data = SendEmail.model_validate(
        {
            "to": ["Ann <ann@example.com>", "bob@exämple.com"],
            "cc": "cy@example.com",
            "bcc": ["ann@example.com", "dee@example.com"],
            "from": "Desk <desk@example.org>",
            "reply_to": "help@example.org",
            "subject": "Grüße",
            "message": "text",
            "html": "<p>text</p>",
            "attachments": [
                {
                    "filename": "ü.pdf",
                    "content_base64": base64.b64encode(b"\x00%PDF").decode(),
                    "content_type": "application/pdf",
                }
            ],
        }
    )
    message = build_message(data, key="job-7", default_sender="scheduler@localhost")
    content = message.content
    assert message.sender == "desk@example.org"
    assert message.recipients == ["ann@example.com", "bob@xn--exmple-cua.com", "cy@example.com", "dee@example.com"]
    assert content["Message-ID"] == "<job-7@example.org>"
    assert content["Subject"] == "Grüße"
    assert content["Reply-To"] == "help@example.org"
    assert content["Bcc"] is None
    assert b"dee@" not in content.as_bytes()
    assert [part.get_content_type() for part in content.walk()] == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "application/pdf",
    ]
    (attachment,) = content.iter_attachments()
    assert attachment.get_filename() == "ü.pdf"
    assert attachment.get_payload(decode=True) == b"\x00%PDF"


@given(st.emails())
def test_ordinary_addresses_are_taken(address: str) -> None:
    assert parsed(address).addr_spec.lower() == address.lower()


def test_a_sender_that_is_no_address_is_a_wrong_setting() -> None:
    with pytest.raises(ConfigurationError, match="SMTP_FROM"):
        Mailer(SmtpConfig("localhost", 25, sender="nobody"))
