"""One description of each call, two ways to make it: at once, or awaited.

A noun (jobs, schedules, ...) holds functions that only describe calls. What follows here turns each into a method that
makes the call: a plain one on the nouns of a Client, a coroutine on those of an AsyncClient.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, overload

from scheduler.client.calls import Call, Page, Plan

P = ParamSpec("P")
T = TypeVar("T")
D = TypeVar("D")


class Sender(Protocol):
    """Makes calls at once."""

    def send(self, call: Call[T]) -> T: ...
    def follow(self, plan: Plan[T]) -> T: ...
    def walk(self, first: Call[Any]) -> Iterator[Any]: ...
    def stream(self, call: Call[Any]) -> Iterator[bytes]: ...


class AsyncSender(Protocol):
    """Makes calls that are awaited."""

    def send(self, call: Call[T]) -> Coroutine[Any, Any, T]: ...
    def follow(self, plan: Plan[T]) -> Coroutine[Any, Any, T]: ...
    def walk(self, first: Call[Any]) -> AsyncIterator[Any]: ...
    def stream(self, call: Call[Any]) -> AsyncIterator[bytes]: ...


S_co = TypeVar("S_co", Sender, AsyncSender, covariant=True)


class Noun(Generic[S_co]):
    """Calls about one kind of thing."""

    def __init__(self, sender: S_co) -> None:
        self._sender = sender

    @property
    def sender(self) -> S_co:
        """Who makes the calls."""
        return self._sender


class _Described(Generic[P, D]):
    """A function that describes, in the place of a method."""

    def __init__(self, describe: Callable[P, D]) -> None:
        self.describe = describe
        self.__doc__ = describe.__doc__

    def _made_by(self, make: Callable[[D], Any]) -> Callable[P, Any]:
        """The method: it makes what is described."""

        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            return make(self.describe(*args, **kwargs))

        return update_wrapper(method, self.describe)


class endpoint(_Described[P, Call[T]]):  # noqa: N801 - a decorator
    """One call, and its result."""

    @overload
    def __get__(self, noun: Noun[Sender], owner: object) -> Callable[P, T]: ...
    @overload
    def __get__(self, noun: Noun[AsyncSender], owner: object) -> Callable[P, Awaitable[T]]: ...
    def __get__(self, noun: Noun[Any], owner: object) -> Callable[P, Any]:
        return self._made_by(noun.sender.send)


class plan(_Described[P, Plan[T]]):  # noqa: N801 - a decorator
    """Several calls on the way to one result."""

    @overload
    def __get__(self, noun: Noun[Sender], owner: object) -> Callable[P, T]: ...
    @overload
    def __get__(self, noun: Noun[AsyncSender], owner: object) -> Callable[P, Awaitable[T]]: ...
    def __get__(self, noun: Noun[Any], owner: object) -> Callable[P, Any]:
        return self._made_by(noun.sender.follow)


class walk(_Described[P, Call[Page[T]]]):  # noqa: N801 - a decorator
    """A list, row by row, over as many pages as there are."""

    @overload
    def __get__(self, noun: Noun[Sender], owner: object) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, noun: Noun[AsyncSender], owner: object) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, noun: Noun[Any], owner: object) -> Callable[P, Any]:
        return self._made_by(noun.sender.walk)


class stream(_Described[P, Call[Any]]):  # noqa: N801 - a decorator
    """An answer in pieces, as they come."""

    @overload
    def __get__(self, noun: Noun[Sender], owner: object) -> Callable[P, Iterator[bytes]]: ...
    @overload
    def __get__(self, noun: Noun[AsyncSender], owner: object) -> Callable[P, AsyncIterator[bytes]]: ...
    def __get__(self, noun: Noun[Any], owner: object) -> Callable[P, Any]:
        return self._made_by(noun.sender.stream)
