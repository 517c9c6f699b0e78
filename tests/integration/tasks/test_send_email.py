"""`send_email` against a real SMTP server."""

import asyncio
import base64
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Literal, cast

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from scheduler.domain.errors import PermanentError, TaskError
from scheduler.domain.job import JsonObject
from scheduler.tasks.smtp_pool import MAX_CONNECTIONS, SmtpConfig
from tests.acceptance.cluster import free_port
from tests.integration.tasks.running import Bench

MAIL: JsonObject = {"to": "ann@example.com", "subject": "Hello", "message": "Hi\n.\nthere"}


class Mailbox:
    """Keeps what arrives; recipients and senders whose name is a number are answered with it."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.peers: list[object] = []
        self.encrypted: list[bool] = []
        self.answer = "250 OK"

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if (code := address.partition("@")[0]).isdigit():
            return f"{code} no sender"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if (code := address.partition("@")[0]).isdigit():
            return f"{code} no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.envelopes.append(envelope)
        self.peers.append(session.peer)
        assert server.transport is not None
        self.encrypted.append(server.transport.get_extra_info("ssl_object") is not None)
        return self.answer

    def message(self) -> EmailMessage:
        """The one that arrived."""
        (envelope,) = self.envelopes
        return message_from_bytes(cast("bytes", envelope.content), policy=policy.SMTP)


def authenticate(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: object) -> AuthResult:
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"user", b"right")
    return AuthResult(success=good, handled=False)  # aiosmtpd sends the answer


@contextmanager
def smtp_server(
    mailbox: Mailbox,
    *,
    log_in: bool = False,
    starttls: ssl.SSLContext | None = None,
    tls: ssl.SSLContext | None = None,
    enable_SMTPUTF8: bool = True,  # noqa: N803 - aiosmtpd's name
    port: int | None = None,
) -> Generator[int]:
    port = port or free_port()
    controller = Controller(
        mailbox,
        hostname="127.0.0.1",
        port=port,
        authenticator=authenticate,
        auth_required=log_in,
        auth_require_tls=starttls is not None or not log_in,
        tls_context=starttls,
        require_starttls=starttls is not None,
        ssl_context=tls,
        enable_SMTPUTF8=enable_SMTPUTF8,
    )
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """The server's, from an authority that this process trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)  # pyright: ignore[reportUnknownMemberType] - it knows of pyOpenSSL, which is not here
    return context


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def bench(mailbox: Mailbox) -> Generator[Bench]:
    with smtp_server(mailbox) as port:
        yield Bench(smtp=SmtpConfig("127.0.0.1", port, sender="Jobs <jobs@example.org>"))


def addressed(to: list[str]) -> JsonObject:
    return {**MAIL, "to": [*to]}


def failed(bench: Bench, data: JsonObject) -> TaskError:
    with pytest.raises(TaskError) as caught:
        bench.run_alone("send_email", data)
    assert caught.value.type == "smtp"
    return caught.value


def test_a_message_arrives(bench: Bench, mailbox: Mailbox) -> None:
    extra: JsonObject = {
        "cc": ["Bob <bob@example.com>"],
        "bcc": "hidden@example.com",
        "subject": "Grüße",
        "html": "<p>é</p>",
        "reply_to": "help@example.org",
        "attachments": [{"filename": "a.bin", "content_base64": base64.b64encode(bytes(range(256))).decode()}],
    }
    result = bench.run_alone("send_email", MAIL | extra)
    assert result == {
        "message_id": "<job-42@example.org>",
        "accepted": ["ann@example.com", "bob@example.com", "hidden@example.com"],
        "refused": {},
    }
    (envelope,) = mailbox.envelopes
    assert envelope.mail_from == "jobs@example.org"
    assert envelope.rcpt_tos == result["accepted"]
    message = mailbox.message()
    assert (message["From"], message["Subject"]) == ("Jobs <jobs@example.org>", "Grüße")
    assert message["Message-ID"] == "<job-42@example.org>"
    assert b"hidden" not in cast("bytes", envelope.content)
    text, html = (message.get_body([kind]) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    assert text.get_content().replace("\r\n", "\n") == "Hi\n.\nthere\n"
    assert html.get_content().strip() == "<p>é</p>"
    (attachment,) = message.iter_attachments()
    assert attachment.get_payload(decode=True) == bytes(range(256))


def test_another_attempt_bears_the_same_message_id(bench: Bench, mailbox: Mailbox) -> None:
    first, second = (bench.run_alone("send_email", MAIL)["message_id"] for _ in range(2))
    assert first == second
    assert len(mailbox.envelopes) == 2


def test_some_recipients_refused(bench: Bench) -> None:
    result = bench.run_alone("send_email", addressed(["ann@example.com", "550@example.com"]))
    assert result["accepted"] == ["ann@example.com"]
    assert result["refused"] == {"550@example.com": "550 no such user"}


@pytest.mark.parametrize(
    ("to", "kind"),
    [
        (["550@example.com"], PermanentError),
        (["451@example.com"], TaskError),
        (["550@example.com", "451@example.com"], TaskError),
    ],
)
def test_every_recipient_refused(bench: Bench, to: list[str], kind: type[TaskError]) -> None:
    error = failed(bench, addressed(to))
    assert type(error) is kind
    assert to[0] in str(error)


@pytest.mark.parametrize(("code", "kind"), [(451, TaskError), (554, PermanentError)])
def test_the_servers_refusal(bench: Bench, mailbox: Mailbox, code: int, kind: type[TaskError]) -> None:
    assert type(failed(bench, MAIL | {"from": f"{code}@example.com"})) is kind
    mailbox.answer = f"{code} not today"
    error = failed(bench, MAIL)
    assert type(error) is kind
    assert "not today" in str(error)


def test_no_server_is_worth_another_attempt() -> None:
    error = failed(Bench(smtp=SmtpConfig("127.0.0.1", 1)), MAIL)
    assert type(error) is TaskError
    assert "SMTP_HOST" in str(error)


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_log_in(mailbox: Mailbox) -> None:
    with smtp_server(mailbox, log_in=True) as port:
        Bench(smtp=SmtpConfig("127.0.0.1", port, "user", "right")).run_alone("send_email", MAIL)
        error = failed(Bench(smtp=SmtpConfig("127.0.0.1", port, "user", "hunter2")), MAIL)
    assert type(error) is PermanentError
    assert "SMTP_PASSWORD" in str(error)
    assert "hunter2" not in str(error)
    assert len(mailbox.envelopes) == 1


def test_starttls_and_log_in(mailbox: Mailbox, certificate: ssl.SSLContext) -> None:
    with smtp_server(mailbox, log_in=True, starttls=certificate) as port:
        Bench(smtp=SmtpConfig("127.0.0.1", port, "user", "right", "starttls")).run_alone("send_email", MAIL)
        error = failed(Bench(smtp=SmtpConfig("127.0.0.1", port)), MAIL)
    assert mailbox.encrypted == [True]
    assert type(error) is PermanentError  # the server insists on what is not configured


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_tls_from_the_first_byte(mailbox: Mailbox, certificate: ssl.SSLContext) -> None:
    with smtp_server(mailbox, log_in=True, tls=certificate) as port:
        Bench(smtp=SmtpConfig("127.0.0.1", port, "user", "right", "tls")).run_alone("send_email", MAIL)
    assert mailbox.encrypted == [True]


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_server_that_cannot_prove_its_name_gets_no_mail(
    mailbox: Mailbox, certificate: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, tls: Literal["starttls", "tls"]
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    secured = {tls: certificate}
    with smtp_server(mailbox, starttls=secured.get("starttls"), tls=secured.get("tls")) as port:
        error = failed(Bench(smtp=SmtpConfig("127.0.0.1", port, "user", "hunter2", tls)), MAIL)
    assert mailbox.envelopes == []
    assert "hunter2" not in str(error)


def test_a_connection_serves_one_message_after_another(bench: Bench, mailbox: Mailbox) -> None:
    async def several() -> None:
        for _ in range(3):
            await bench.run("send_email", MAIL)
        with pytest.raises(TaskError):
            await bench.run("send_email", addressed(["550@example.com"]))
        await bench.run("send_email", MAIL)
        await bench.registry.aclose()

    asyncio.run(several())
    first, second, third, after_failure = mailbox.peers
    assert first == second == third != after_failure


def test_a_connection_that_the_server_has_closed_is_replaced(mailbox: Mailbox) -> None:
    async def across_a_restart() -> None:
        with smtp_server(mailbox) as port:
            bench = Bench(smtp=SmtpConfig("127.0.0.1", port))
            await bench.run("send_email", MAIL)
        with smtp_server(mailbox, port=port):
            await bench.run("send_email", MAIL)
            await bench.registry.aclose()

    asyncio.run(across_a_restart())
    assert len(mailbox.envelopes) == 2


def test_many_messages_at_once_share_a_few_connections(bench: Bench, mailbox: Mailbox) -> None:
    async def crowd() -> None:
        await asyncio.gather(*(bench.run("send_email", MAIL) for _ in range(5 * MAX_CONNECTIONS)))
        await bench.registry.aclose()

    asyncio.run(crowd())
    assert len(mailbox.peers) == 5 * MAX_CONNECTIONS
    assert len(set(mailbox.peers)) <= MAX_CONNECTIONS


def test_addresses_that_are_not_ascii(mailbox: Mailbox) -> None:
    unicode = addressed(["jürgen@exämple.com", "ann@exämple.com"])
    with smtp_server(mailbox) as port:
        result = Bench(smtp=SmtpConfig("127.0.0.1", port)).run_alone("send_email", unicode)
    assert result["accepted"] == ["jürgen@xn--exmple-cua.com", "ann@xn--exmple-cua.com"]
    with smtp_server(mailbox, enable_SMTPUTF8=False) as port:
        error = failed(Bench(smtp=SmtpConfig("127.0.0.1", port)), unicode)
    assert type(error) is PermanentError
    assert len(mailbox.envelopes) == 1


def test_encryption_that_the_server_lacks_is_not_done_without(bench: Bench, mailbox: Mailbox) -> None:
    error = failed(Bench(smtp=SmtpConfig("127.0.0.1", bench.smtp.port, tls="starttls")), MAIL)
    assert "SMTP_TLS" in str(error)
    assert mailbox.envelopes == []


def test_the_password_is_not_in_the_configurations_repr() -> None:
    assert "hunter2" not in repr(SmtpConfig("127.0.0.1", 25, "user", "hunter2"))
