"""One thread for what takes long or may block, so that the server answers meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

from prisam_p2p.system.side_thread import SideThread

Result = TypeVar("Result")


class Worker:
    """Calls functions one after the other in a daemon thread: nothing waits for it at the end."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        SideThread(self._work, "page-worker").start()

    async def call(self, function: Callable[[], Result]) -> Result:
        """Return what `function` returns, or raise what it raises."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()

        def work() -> None:
            result: Any = None
            error: BaseException | None = None
            try:
                result = function()
            except BaseException as caught:
                error = caught
            with suppress(RuntimeError):  # the server has ended meanwhile
                loop.call_soon_threadsafe(_tell, future, result, error)

        self._calls.put(work)
        return await future

    def _work(self) -> None:
        while True:
            self._calls.get()()


def _tell(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():  # nobody waits any more
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
