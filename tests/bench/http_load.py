"""Requests over keep-alive connections, each sent when the answer before has come: how many a second an API answers.

A parser of its own, no client library: the generator shall cost a fraction of what it measures.
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Final, cast
from urllib.parse import urlsplit

import uvloop

from tests.credentials import bearer

_CONNECTIONS: Final = 8
_SECONDS: Final = 3.0
_END_OF_HEAD: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length: "


@dataclass(frozen=True, slots=True)
class Rate:
    """What came back: answers a second, how long each took in milliseconds, and how many had another status."""

    per_second: float
    milliseconds: list[float]
    refused: int


def rate(url: str, request: Callable[[], bytes], *, status: int, connections: int, seconds: float) -> Rate:
    """Send what `request` makes for `seconds`, over that many connections; `status` is the one expected."""
    return uvloop.run(_run(url, request, status, connections, seconds))


def post_and_get(url: str, create: bytes, reads: Sequence[bytes], cpu_seconds: Callable[[], float]) -> dict[str, float]:
    """How many a second of either, over eight connections, and what one costs the server, which used `cpu_seconds`.

    A POST is answered with 201, a GET with 200.
    """
    in_turn = itertools.cycle(reads)
    figures: dict[str, float] = {}
    calls: tuple[tuple[str, Callable[[], bytes], int], ...] = (
        ("POST", lambda: create, 201),
        ("GET", lambda: next(in_turn), 200),
    )
    for name, request, status in calls:
        rate(url, request, status=status, connections=_CONNECTIONS, seconds=0.5)
        since = cpu_seconds()
        measured = rate(url, request, status=status, connections=_CONNECTIONS, seconds=_SECONDS)
        used = cpu_seconds() - since
        assert not measured.refused, f"{measured.refused} answers to {name} were no {status}"
        figures[f"{name}/s"] = measured.per_second
        figures[f"{name} p99 ms"] = quantiles(measured.milliseconds, n=100)[98]
        figures[f"{name} CPU us"] = used / len(measured.milliseconds) * 1e6
    return figures


def get(path: str) -> bytes:
    """A GET of `path`."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{_credentials()}\r\n".encode()


def post(path: str, body: bytes) -> bytes:
    """A POST of JSON to `path`."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{_credentials()}Content-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}".encode() + _END_OF_HEAD + body


def _credentials() -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in bearer().items())


@dataclass(slots=True)
class _Tally:
    expected: bytes
    until: float
    milliseconds: list[float] = field(default_factory=list[float])
    refused: int = 0


async def _run(url: str, request: Callable[[], bytes], status: int, connections: int, seconds: float) -> Rate:
    there, loop = urlsplit(url), asyncio.get_running_loop()
    began = time.perf_counter()
    tally = _Tally(f"HTTP/1.1 {status} ".encode(), began + seconds)
    talks = [_Talk(request, tally) for _ in range(connections)]
    for talk in talks:
        await loop.create_connection(lambda talk=talk: talk, there.hostname or "", there.port or 80)
    await asyncio.gather(*(talk.ended for talk in talks))
    return Rate(len(tally.milliseconds) / (time.perf_counter() - began), tally.milliseconds, tally.refused)


class _Talk(asyncio.Protocol):
    """One connection: the next request follows on the answer to the last."""

    def __init__(self, request: Callable[[], bytes], tally: _Tally) -> None:
        self._request = request
        self._tally = tally
        self._buffer = b""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not _is_whole(self._buffer):
            return
        now = time.perf_counter()
        self._tally.milliseconds.append((now - self._sent) * 1000)
        self._tally.refused += not self._buffer.startswith(self._tally.expected)
        self._buffer = b""
        if now < self._tally.until:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None or time.perf_counter() < self._tally.until:
            self.ended.set_exception(exc or ConnectionResetError("the API closed a connection"))
        else:
            self.ended.set_result(None)

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._request())


def _is_whole(answer: bytes) -> bool:
    head, found, body = answer.partition(_END_OF_HEAD)
    if not found:
        return False
    _, found, rest = head.lower().partition(_LENGTH)
    assert found, "an answer without Content-Length"
    return len(body) >= int(rest.partition(b"\r\n")[0])
