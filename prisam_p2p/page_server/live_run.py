"""One run that pages show: it is read while a page watches it, once a second."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from prisam_p2p.errors import ConfigError
from prisam_p2p.page.assembly import page_of
from prisam_p2p.page.data.fold import FORMAT
from prisam_p2p.page.data.tables import TABLES
from prisam_p2p.page_server.feed import Feed, News, as_json
from prisam_p2p.page_server.run_reader import RunReader
from prisam_p2p.page_server.worker import Worker

LOOK_EVERY_S = 1.0
"""Between two looks at the journals, and so between two updates of a page."""

_KEYS = {name: table.keys for name, table in TABLES.items()}


class LiveRun:
    """The data of a run, and who is told of its changes.

    Args:
        note: see RunReader.

    Attributes:
        feed: its versions.
    """

    def __init__(self, run_dir: Path, worker: Worker, note: bool) -> None:
        self._name = run_dir.name
        self._reader, self._worker = RunReader(run_dir, note), worker
        self.feed = _new_feed()
        self._changed = asyncio.Event()
        self._watchers = 0
        self._looking: asyncio.Task[None] | None = None
        self._one_look = asyncio.Lock()

    @property
    def is_watched(self) -> bool:
        """Whether a page is connected."""
        return self._watchers > 0

    async def look(self) -> bool:
        """Read what is new; return whether there is a run to show.

        Raises:
            ConfigError: its plan.json is none.
        """
        async with self._one_look:
            is_watched = self.is_watched
            seen = await self._worker.call(lambda: self._reader.look(time.monotonic(), is_watched))
            if seen is None:
                return False
            before = self.feed.mark
            if seen.is_new:
                self.feed = _new_feed()
            else:
                self.feed.push(seen.update)
            if self.feed.mark != before:
                self.wake()
            return True

    async def page(self, events: str) -> str:
        """Return the page; it asks `events`, a path of this server, for what changes."""
        mark = self.feed.mark  # of what is read from now on the page is told again: no harm
        live = {"events": events, "after": mark}
        return await self._worker.call(lambda: page_of(self._payload(), self._name, live=live))

    async def snapshot(self) -> tuple[str, str]:
        """Return a mark, and the page's data as JSON."""
        mark = self.feed.mark
        return mark, await self._worker.call(lambda: as_json(self._payload()))

    async def news(self, mark: str, timeout_s: float) -> News | None:
        """Return what a page that says `mark` has to be told; None if that is nothing in time."""
        changed = self._changed
        if found := self.feed.after(mark):
            return found
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await changed.wait()
        if self._looking and self._looking.done():
            self._looking.result()  # raises what went wrong in it
        return self.feed.after(mark)

    def wake(self) -> None:
        """Let those that wait for news look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Read the run again and again in this block."""
        self._watchers += 1
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_on())
        try:
            yield
        finally:
            self._watchers -= 1

    async def _look_on(self) -> None:
        """Look until nobody watches, and once more."""
        try:
            while self._watchers:
                await asyncio.sleep(LOOK_EVERY_S)
                with suppress(ConfigError):  # of a plan.json that is being written anew
                    await self.look()
        finally:
            self.wake()

    def _payload(self) -> Mapping[str, Any]:
        return {"format": FORMAT, "runs": [self._reader.payload()]}


def _new_feed() -> Feed:
    return Feed(secrets.token_hex(8), _KEYS)
