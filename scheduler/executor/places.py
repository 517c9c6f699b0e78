"""How many handlers run at once in threads, and in processes of their own: an attempt waits here for its turn."""

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Final

from scheduler.tasks.registry import Kind


class Places:
    """So many places for threads and so many for processes, first come, first served; a coroutine needs none.

    A place is held as long as its attempt, not as long as its thread: one that nothing can stop takes none from others.
    """

    def __init__(self, *, threads: int, processes: int) -> None:
        self._places: Final[dict[Kind, AbstractAsyncContextManager[None]]] = {
            Kind.ASYNC: nullcontext(),
            Kind.THREAD: asyncio.Semaphore(threads),
            Kind.PROCESS: asyncio.Semaphore(processes),
        }

    def one_for(self, kind: Kind) -> AbstractAsyncContextManager[None]:
        """To be entered, which waits for a free place, and left."""
        return self._places[kind]
