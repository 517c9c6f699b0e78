"""The two clients: how a call goes over the network, at once or awaited. What is said is in the nouns."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar, cast

import httpx

from scheduler import __version__
from scheduler.client.accounts import Account, Keys, Users, logging_in, logging_out
from scheduler.client.address import checked_token, checked_url, is_loopback
from scheduler.client.calls import Answer, Call, Lost, Page, Plan, Sleep
from scheduler.client.dead_letters import DeadLetters
from scheduler.client.errors import Unreachable
from scheduler.client.exchange import Exchange, InMemory, Keeper, Send, Steps
from scheduler.client.jobs import Jobs
from scheduler.client.models import LogIn
from scheduler.client.noun import AsyncSender, Sender
from scheduler.client.queues import Queues
from scheduler.client.retries import Retries
from scheduler.client.schedules import Schedules
from scheduler.client.system import System
from scheduler.client.templates import Templates

T = TypeVar("T")
S = TypeVar("S", Sender, AsyncSender)

TIMEOUT_SECONDS: Final = 30.0

_NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


class _Nouns(Generic[S]):
    """What both clients have: the address, credentials, and the nouns."""

    def __init__(self, url: str, token: str, keeper: Keeper | None, retries: Retries, timeout: float) -> None:
        self._url = checked_url(url)
        self._exchange = Exchange(self._url, checked_token(token), keeper or InMemory(), retries)
        self._timeout = timeout
        sender = cast("S", self)
        self.jobs = Jobs(sender)
        self.schedules = Schedules(sender)
        self.templates = Templates(sender)
        self.queues = Queues(sender)
        self.dead_letters = DeadLetters(sender)
        self.system = System(sender)
        self.users = Users(sender)
        self.keys = Keys(sender)
        self.account = Account(sender)

    @property
    def url(self) -> str:
        """Where the API is."""
        return self._url

    def _options(self) -> dict[str, Any]:
        return {
            "base_url": self._url,
            "timeout": self._timeout,
            "follow_redirects": False,  # one would carry the token elsewhere
            "trust_env": not is_loopback(self._url),  # no proxy leads to this machine
            "headers": {"Accept": "application/json", "User-Agent": f"scheduler-client/{__version__}"},
        }


class Client(_Nouns[Sender]):
    """The API at `url`, called at once. Threads may share one.

    `token` is an API key. Without one, `log_in` brings a log-in, which `keeper` keeps and which renews itself.
    Every call raises ClientError; `timeout` is in seconds, for each attempt. Close it, or use it in a `with`.
    """

    def __init__(
        self,
        url: str,
        token: str = "",
        *,
        keeper: Keeper | None = None,
        retries: Retries = Retries(),  # noqa: B008 - frozen
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        super().__init__(url, token, keeper, retries, timeout)
        self._http = httpx.Client(**self._options())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def log_in(self, email: str, password: str) -> LogIn:
        """Log in; later calls are made with it, unless there is a `token`."""
        return self.follow(logging_in(self._exchange.keeper, email, password))

    def log_out(self) -> None:
        """End the log-in."""
        self.follow(logging_out(self._exchange.keeper))

    def send(self, call: Call[T]) -> T:
        """Make a call."""
        return self.follow(self._exchange.carry_out(call))

    def follow(self, plan: Plan[T] | Steps[T]) -> T:
        """Take the steps of a plan, to its result."""
        heard: Any = None
        while True:
            try:
                step = plan.send(heard)
            except StopIteration as end:
                return end.value
            match step:
                case Sleep():
                    heard = time.sleep(step.seconds)
                case Send():
                    heard = self._heard(step)
                case Call():
                    heard = self.send(step)

    def walk(self, first: Call[Page[Any]]) -> Iterator[Any]:
        """Every row of a list."""
        call: Call[Page[Any]] | None = first
        while call is not None:
            page = self.send(call)
            yield from page.items
            call = call.after(page.next_cursor) if page.next_cursor else None

    def stream(self, call: Call[Any]) -> Iterator[bytes]:
        """The content of an answer, as it comes. Raises Unreachable when it breaks off."""
        response = cast("httpx.Response", self.send(call))
        try:
            yield from response.iter_bytes()
        except httpx.HTTPError as error:
            raise Unreachable(self._url, _reason(error)) from None
        finally:
            response.close()

    def _heard(self, step: Send) -> Answer | Lost:
        try:
            response = self._http.send(_request(self._http, step), stream=step.call.streams)
            if step.call.streams and response.is_success:
                return Answer(response.status_code, response.headers, stream=response)
            return Answer(response.status_code, response.headers, response.read())
        except httpx.HTTPError as error:
            return _lost(error)


class AsyncClient(_Nouns[AsyncSender]):
    """The same as Client, each call awaited and each list an `async for`."""

    def __init__(
        self,
        url: str,
        token: str = "",
        *,
        keeper: Keeper | None = None,
        retries: Retries = Retries(),  # noqa: B008 - frozen
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        super().__init__(url, token, keeper, retries, timeout)
        self._http = httpx.AsyncClient(**self._options())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def log_in(self, email: str, password: str) -> LogIn:
        """Log in; later calls are made with it, unless there is a `token`."""
        return await self.follow(logging_in(self._exchange.keeper, email, password))

    async def log_out(self) -> None:
        """End the log-in."""
        await self.follow(logging_out(self._exchange.keeper))

    async def send(self, call: Call[T]) -> T:
        """Make a call."""
        return await self.follow(self._exchange.carry_out(call))

    async def follow(self, plan: Plan[T] | Steps[T]) -> T:
        """Take the steps of a plan, to its result."""
        heard: Any = None
        while True:
            try:
                step = plan.send(heard)
            except StopIteration as end:
                return end.value
            match step:
                case Sleep():
                    heard = await asyncio.sleep(step.seconds)
                case Send():
                    heard = await self._heard(step)
                case Call():
                    heard = await self.send(step)

    async def walk(self, first: Call[Page[Any]]) -> AsyncIterator[Any]:
        """Every row of a list."""
        call: Call[Page[Any]] | None = first
        while call is not None:
            page = await self.send(call)
            for item in page.items:
                yield item
            call = call.after(page.next_cursor) if page.next_cursor else None

    async def stream(self, call: Call[Any]) -> AsyncIterator[bytes]:
        """The content of an answer, as it comes. Raises Unreachable when it breaks off."""
        response = cast("httpx.Response", await self.send(call))
        try:
            async for chunk in response.aiter_bytes():
                yield chunk
        except httpx.HTTPError as error:
            raise Unreachable(self._url, _reason(error)) from None
        finally:
            await response.aclose()

    async def _heard(self, step: Send) -> Answer | Lost:
        try:
            response = await self._http.send(_request(self._http, step), stream=step.call.streams)
            if step.call.streams and response.is_success:
                return Answer(response.status_code, response.headers, stream=response)
            return Answer(response.status_code, response.headers, await response.aread())
        except httpx.HTTPError as error:
            return _lost(error)


def _request(http: httpx.Client | httpx.AsyncClient, step: Send) -> httpx.Request:
    call = step.call
    headers = {"Authorization": f"Bearer {step.token}"} if step.token else {}
    if call.key is not None:
        headers["Idempotency-Key"] = call.key
    query = {name: value for name, value in call.query.items() if value is not None}
    return http.build_request(call.method, call.path, params=query, json=call.body, headers=headers)


def _lost(error: httpx.HTTPError) -> Lost:
    return Lost(_reason(error), was_sent=not isinstance(error, _NEVER_SENT))


def _reason(error: httpx.HTTPError) -> str:
    """In the words of the operating system, where it has some."""
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return f"the connection broke: {type(error).__name__}"
