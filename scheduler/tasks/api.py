"""`api`: calls an HTTP service."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import aiohttp
from aiohttp import ClientHandlerType, ClientMiddlewareType, ClientRequest, ClientResponse, ClientSession, ClientTimeout
from multidict import CIMultiDict
from yarl import URL

from scheduler.domain.errors import PermanentError, TaskError
from scheduler.domain.job import JsonObject
from scheduler.tasks import signature
from scheduler.tasks.api_request import ApiCall
from scheduler.tasks.api_response import read_result, unexpected
from scheduler.tasks.context import TaskContext
from scheduler.tasks.network import NetworkGuard
from scheduler.tasks.registry import Kind, TaskType
from scheduler.tasks.signature import Signer

MAX_REDIRECTS: Final = 10
CONNECT_SECONDS: Final = 15.0
USER_AGENT: Final = "scheduler"

_HARMLESS_HEADERS: Final = frozenset({"accept", "accept-encoding", "accept-language", "content-type", "user-agent"})


class ApiTask:
    """The handler and the session that all its requests share, opened at the first one, on the running loop."""

    def __init__(self, guard: NetworkGuard, signer: Signer | None) -> None:
        self._guard = guard
        self._signer = signer
        self._session: ClientSession | None = None

    async def call(self, data: ApiCall, context: TaskContext) -> JsonObject:
        """Make the request. Returns {"status", "headers", "body", "truncated"}; raises TaskError."""
        url, body = data.target(), data.payload()
        headers = _headers(data, context)
        if data.sign:
            headers.update(self._signature(context, body or b""))
        what = f"{data.method} {url.origin()}"  # no credentials, and no path or query that may hold a token
        try:
            async with self._open_session().request(
                data.method,
                url,
                headers=headers,
                data=body,
                allow_redirects=data.follow_redirects,
                max_redirects=MAX_REDIRECTS,
                middlewares=(self._guard.bind, _keep_headers_home(url, [*data.headers, *signature.HEADERS])),
            ) as response:
                result = await read_result(response, data.max_response_bytes)
        except (aiohttp.ClientError, TimeoutError, UnicodeError) as fault:
            raise _explained(what, fault) from None  # the cause's own words may show the URL
        context.log("%s answered %d", what, response.status)
        if not data.expects(response.status):
            if body := result["body"]:
                context.log("the body of the answer: %s", body)
            raise unexpected(what=what, status=response.status, headers=response.headers, now=datetime.now(UTC))
        return result

    async def close(self) -> None:
        """Close the session's connections."""
        if self._session is not None:
            await self._session.close()

    def _signature(self, context: TaskContext, body: bytes) -> dict[str, str]:
        if self._signer is None:
            raise PermanentError(
                "The request is to be signed and there is no secret: set API_TASK_SIGNING_SECRET.", type="signing"
            )
        return self._signer.headers(context.idempotency_key, body, datetime.now(UTC))

    def _open_session(self) -> ClientSession:
        if self._session is None or self._session.closed:
            self._session = ClientSession(
                connector=self._guard.connector(),
                cookie_jar=aiohttp.DummyCookieJar(),  # one job's cookies are not another's
                timeout=ClientTimeout(
                    total=None, sock_connect=CONNECT_SECONDS
                ),  # the attempt's timeout bounds the rest
                trust_env=False,  # a proxy would dial for us, unguarded
            )
        return self._session


def api_task(guard: NetworkGuard, signer: Signer | None = None) -> TaskType:
    """The type `api`, bound to a guard, and to what signs its requests."""
    api = ApiTask(guard, signer)
    return TaskType(
        "api",
        Kind.ASYNC,
        ApiCall,
        api.call,
        description="Calls an HTTP service. Sends Idempotency-Key: job-<id>, the same for every attempt.",
        close=api.close,
    )


def _keep_headers_home(url: URL, headers: Iterable[str]) -> ClientMiddlewareType:
    """aiohttp middleware: a redirect to another origin gets none of the headers that were meant for the first.

    aiohttp itself withholds `Authorization` only, and an `X-Api-Key` is as much of a secret.
    """
    private = [name for name in headers if name.lower() not in _HARMLESS_HEADERS]

    async def middleware(request: ClientRequest, send: ClientHandlerType) -> ClientResponse:
        if request.url.origin() != url.origin():
            for name in private:
                request.headers.popall(name, None)
        return await send(request)

    return middleware


def _headers(data: ApiCall, context: TaskContext) -> CIMultiDict[str]:
    headers = CIMultiDict({"User-Agent": USER_AGENT})
    if data.has_json:
        headers["Content-Type"] = "application/json"
    elif data.body is not None:
        headers["Content-Type"] = "text/plain; charset=utf-8"
    headers.update(data.headers)
    headers["Idempotency-Key"] = context.idempotency_key
    headers["X-Scheduler-Attempt"] = str(context.attempt)
    if context.traceparent is not None:
        headers.setdefault("traceparent", context.traceparent)
    return headers


def _explained(what: str, fault: Exception) -> TaskError:
    """The error of a request that got no whole answer; permanent when it could never be sent."""
    match fault:
        case aiohttp.TooManyRedirects():
            return PermanentError(f"{what} was redirected more than {MAX_REDIRECTS} times.", type="redirects")
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            return PermanentError(f"{what}: the URL, or one it redirects to, is not a valid http(s) URL.", type="url")
        case aiohttp.ClientConnectorDNSError():
            return TaskError(f"{what}: the host's name cannot be resolved.", type="dns")
        case aiohttp.ClientConnectorCertificateError():
            return TaskError(f"{what}: the server's certificate is not valid for this host.", type="tls")
        case aiohttp.ClientSSLError():
            return TaskError(f"{what}: no TLS connection could be made.", type="tls")
        case aiohttp.ClientConnectorError():
            reason = (fault.os_error.strerror or "no connection").lower()
            return TaskError(f"{what}: cannot connect: {reason}.", type="connection")
        case TimeoutError():
            return TaskError(f"{what}: no connection within {CONNECT_SECONDS:.0f} s.", type="connection")
        case aiohttp.ClientConnectionError() | aiohttp.ClientPayloadError():
            return TaskError(f"{what}: the connection broke before the answer was complete.", type="connection")
        case aiohttp.ClientError():
            return TaskError(f"{what}: the server's answer is not valid HTTP.", type="http")
        case _:
            return PermanentError(
                f"{what}: the request cannot be sent as it is: check its URL and headers.", type="url"
            )
