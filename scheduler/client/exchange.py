"""A call carried out: credentials, retries, a log-in renewed. It sends nothing itself, and so serves both clients."""

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from scheduler.client.calls import Answer, Call, Lost, Sleep
from scheduler.client.errors import NotTheApi, Unauthenticated, Unreachable, refusal
from scheduler.client.models import LogIn, one
from scheduler.client.retries import PASSING, Retries, retry_after
from scheduler.domain.job import JsonObject

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Send:
    """Send a call with this bearer token, if any."""

    call: Call[object]
    token: str


Steps = Generator[Send | Sleep, Answer | Lost | None, T]


class Keeper(Protocol):
    """Where a log-in is kept. Each renewal looks there first: another process may have renewed it meanwhile."""

    def load(self) -> LogIn | None: ...
    def save(self, log_in: LogIn | None) -> None: ...


class InMemory:
    """Keeps a log-in as long as the process lives."""

    def __init__(self) -> None:
        self._kept: LogIn | None = None

    def load(self) -> LogIn | None:
        return self._kept

    def save(self, log_in: LogIn | None) -> None:
        self._kept = log_in


@dataclass(frozen=True, slots=True)
class Exchange:
    """How calls to the API at `url` are carried out: with `token`, else with the log-in that `keeper` has."""

    url: str
    token: str
    keeper: Keeper
    retries: Retries

    def carry_out(self, call: Call[T]) -> Steps[T]:
        """The steps to the result of `call`; raises ClientError."""
        token = "" if call.anonymous else self._bearer()
        answer = yield from self._answered(call, token)
        if answer.status == 401 and not call.anonymous and not self.token and token:
            answer = yield from self._answered(call, (yield from self._renewed(token)))
        if answer.status >= 300:
            raise self._refusal(answer)
        return call.read(answer)

    def _bearer(self) -> str:
        log_in = None if self.token else self.keeper.load()
        return log_in.access_token if log_in else self.token

    def _answered(self, call: Call[T], token: str) -> Steps[Answer]:
        """The last answer, after as many attempts as it takes."""
        attempt, was_lost = 1, False
        while True:
            heard = yield Send(call, token)
            assert heard is not None
            pause = self.retries.pause(call, attempt, heard)
            if pause is None:
                break
            was_lost = was_lost or isinstance(heard, Lost)
            yield Sleep(pause)
            attempt += 1
        if isinstance(heard, Lost):
            raise Unreachable(self.url, heard.reason)
        if was_lost and call.method == "DELETE" and heard.status == 404:
            return replace(heard, status=204)  # it was this very call that removed it
        return heard

    def _renewed(self, used: str) -> Steps[str]:
        """A newer access token than `used`; raises Unauthenticated when the log-in is over."""
        kept = self.keeper.load()
        if kept is not None and kept.access_token == used:
            answer = yield from self._answered(refreshing(kept.refresh_token), "")
            if answer.status == 200:
                kept = one(LogIn)(answer)
                self.keeper.save(kept)
            elif answer.status != 401:
                raise self._refusal(answer)
            else:
                kept = self.keeper.load()
        if kept is None or kept.access_token == used:
            raise Unauthenticated(401, "The log-in is over: log in again.")
        return kept.access_token

    def _refusal(self, answer: Answer) -> Exception:
        if answer.headers.get("content-type", "").startswith("application/problem+json"):
            try:
                problem = answer.document()
            except NotTheApi:
                problem = JsonObject()
            return refusal(answer.status, problem, retry_after=retry_after(answer))
        if answer.status in PASSING or answer.status >= 500:  # of a proxy in between
            detail: JsonObject = {"detail": f"{self.url} answered {answer.status}: try again later."}
            return refusal(answer.status, detail, retry_after=retry_after(answer))
        target = answer.headers.get("location")
        advice = f"it sends us on to {target}" if target else "this is no scheduler API"
        return NotTheApi(f"{self.url} answered {answer.status}: {advice}. Correct its address.")


def refreshing(refresh_token: str) -> Call[LogIn]:
    """Bring the next pair of tokens. Sent again at once it is answered the same."""
    body: JsonObject = {"refresh_token": refresh_token}
    return Call("POST", "/api/auth/refresh", one(LogIn), body=body, again=True, anonymous=True)
