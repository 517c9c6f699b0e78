"""Connections to the SMTP server: one that has carried a message is kept a while for the next."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, Literal

import aiosmtplib

MAX_CONNECTIONS: Final = 10
"""At once, by one executor: mail servers turn away who opens many."""
IDLE_SECONDS: Final = 10.0
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


class SmtpPool:
    """Lends connections that are logged in and ready for a message; all on one event loop, until `close`."""

    def __init__(self, smtp: SmtpConfig) -> None:
        self._smtp = smtp
        self._places = asyncio.Semaphore(MAX_CONNECTIONS)
        self._idle: dict[aiosmtplib.SMTP, asyncio.TimerHandle] = {}

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[aiosmtplib.SMTP]:
        """A connection for one message. Raises aiosmtplib.SMTPException and OSError."""
        async with self._places:
            client = await self._kept() or await self._opened()
            try:
                yield client
            except BaseException:
                client.close()  # who knows what it is in the middle of
                raise
            self._idle[client] = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._expire, client)

    async def close(self) -> None:
        """Take leave of the server."""
        while self._idle:
            with suppress(aiosmtplib.SMTPException, OSError):
                await self._take().quit(timeout=1)

    async def _kept(self) -> aiosmtplib.SMTP | None:
        """The one used last, if the server still answers on it."""
        while self._idle:
            client = self._take()
            try:
                await client.rset()
            except (aiosmtplib.SMTPException, OSError):
                client.close()
            else:
                return client
        return None

    async def _opened(self) -> aiosmtplib.SMTP:
        smtp = self._smtp
        client = aiosmtplib.SMTP(
            hostname=smtp.host,
            port=smtp.port,
            username=smtp.username or None,
            password=smtp.password if smtp.username else None,
            use_tls=smtp.tls == "tls",
            start_tls=smtp.tls == "starttls",
            timeout=SERVER_SECONDS,
        )
        await client.connect()
        return client

    def _take(self) -> aiosmtplib.SMTP:
        client, expiry = self._idle.popitem()
        expiry.cancel()
        return client

    def _expire(self, client: aiosmtplib.SMTP) -> None:
        del self._idle[client]
        client.close()
