"""A network between an executor and its servers that gets slow, goes dead without closing, or breaks."""

import asyncio
import socket
import struct
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import Final, Self
from urllib.parse import urlsplit

_CHUNK: Final = 16 * 1024
_LATENCY_SECONDS: Final = 0.1
_BYTES_PER_SECOND: Final = 200_000
_RESET: Final = struct.pack("ii", 1, 0)


class Mode(StrEnum):
    """How a wire behaves."""

    WHOLE = "whole"
    SLOW = "slow"
    DEAD = "dead"
    """Takes whatever it is sent, and brings nothing."""


class Wire:
    """Carries connections to several servers, from a thread of its own, until the `with` is left."""

    def __init__(self) -> None:
        self.mode = Mode.WHOLE
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._torn: set[asyncio.StreamWriter] = set()
        self._servers: list[asyncio.Server] = []

    @classmethod
    @contextmanager
    def laid(cls) -> "Generator[Self]":
        wire = cls()
        thread = threading.Thread(target=wire._loop.run_forever, name="wire", daemon=True)
        thread.start()
        try:
            yield wire
        finally:
            asyncio.run_coroutine_threadsafe(wire._close(), wire._loop).result(10)
            wire._loop.call_soon_threadsafe(wire._loop.stop)
            thread.join()
            wire._loop.close()

    def to(self, url: str) -> str:
        """`url`, as it is reached over this wire."""
        there = urlsplit(url)
        listening = asyncio.run_coroutine_threadsafe(self._listen(there.hostname or "", there.port or 0), self._loop)
        credentials, _, _ = there.netloc.rpartition("@")
        return there._replace(netloc=f"{credentials}@127.0.0.1:{listening.result(5)}").geturl()

    def become(self, mode: Mode) -> None:
        """Behave so from now on. What was sent over a dead wire is missing: those connections end with it."""
        self.mode = mode
        if mode is not Mode.DEAD:
            self._loop.call_soon_threadsafe(self._break, self._torn)

    def reset(self) -> None:
        """Break every connection there is."""
        self._loop.call_soon_threadsafe(self._break, self._writers)

    async def _listen(self, host: str, port: int) -> int:
        server = await asyncio.start_server(lambda r, w: self._connect(r, w, host, port), "127.0.0.1", 0)
        self._servers.append(server)
        return server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        connections = asyncio.all_tasks() - {asyncio.current_task()}
        for each in connections:
            each.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int) -> None:
        self._writers.add(writer)
        there: asyncio.StreamWriter | None = None
        try:
            answers, there = await asyncio.open_connection(host, port)
            self._writers.add(there)
            await asyncio.gather(self._carry(reader, there, writer), self._carry(answers, writer, there))
        except (OSError, asyncio.CancelledError):
            pass  # refused or broken: the other end shall see it as well
        finally:
            self._break({each for each in (writer, there) if each})

    async def _carry(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, back: asyncio.StreamWriter
    ) -> None:
        while chunk := await source.read(_CHUNK):
            if self.mode is Mode.DEAD:
                self._torn |= {sink, back}
                continue
            if self.mode is Mode.SLOW:
                await asyncio.sleep(_LATENCY_SECONDS + len(chunk) / _BYTES_PER_SECOND)
            sink.write(chunk)
            await sink.drain()
        if self.mode is not Mode.DEAD:  # over a dead wire nobody hears of an end either
            raise ConnectionResetError
        self._torn |= {sink, back}

    def _break(self, writers: set[asyncio.StreamWriter]) -> None:
        for writer in [*writers]:
            self._writers.discard(writer)
            self._torn.discard(writer)
            with suppress(OSError):
                sock: socket.socket = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()
