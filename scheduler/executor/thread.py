"""Await a blocking call in a thread of its own. No pool: a call that never ends takes no place from others."""

import asyncio
import contextvars
import threading
from collections.abc import Callable


async def in_thread(call: Callable[[], object]) -> object:
    """What `call` returns or raises. Cancelled, it leaves the thread to itself: nothing can stop one."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[object] = loop.create_future()

    def settle(result: object, error: Exception | None) -> None:
        if future.done():
            return  # timed out or cancelled meanwhile
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def run() -> None:
        outcome = _outcome(call)
        try:
            loop.call_soon_threadsafe(settle, *outcome)
        except RuntimeError:
            return  # the executor left without this thread

    # In a copy of our context: what the call logs carries the job that it is about.
    threading.Thread(target=contextvars.copy_context().run, args=(run,), name="task", daemon=True).start()
    return await future


def _outcome(call: Callable[[], object]) -> tuple[object, Exception | None]:
    try:
        return call(), None
    except StopIteration as error:  # which a Future cannot carry
        return None, RuntimeError(f"StopIteration: {error}")
    except Exception as error:  # noqa: BLE001 - carried over to whoever awaits
        return None, error
    except BaseException as error:  # noqa: BLE001 - SystemExit in a handler ends its attempt, not the executor
        return None, RuntimeError(repr(error))
