"""What the server answers at: a fixed table of paths. A run is named by its number on the shelf."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from prisam_p2p.errors import ConfigError
from prisam_p2p.page.assembly import policy
from prisam_p2p.page_server import list_page
from prisam_p2p.page_server.admission import METHODS
from prisam_p2p.page_server.event_stream import EventStream
from prisam_p2p.page_server.guard import PageGuard
from prisam_p2p.page_server.live_run import LiveRun
from prisam_p2p.page_server.shelf import FolderKind, Shelf, kind_of
from prisam_p2p.page_server.worker import Worker

_READ_S = 120.0
"""The longest wait for a run's journals to be read, or a folder to be listed."""

_MOST_RUNS = 4
"""So many runs are kept in memory, beside those that a page watches."""

_MOST_STREAMS = 32

Answer = Callable[[Request], Awaitable[Response]]


@dataclass
class PageServer:
    """What is shown.

    Args:
        root: a run folder, which may be yet to come; or a folder of runs and experiments.
        is_run: which of both.
        note: see LiveRun.
    """

    root: Path
    is_run: bool
    note: bool
    _closing: asyncio.Event = field(default_factory=asyncio.Event)
    _shelf: Shelf = field(default_factory=Shelf)
    _worker: Worker = field(default_factory=Worker)
    _runs: dict[Path, LiveRun] = field(default_factory=dict)
    _streams: int = 0

    def __post_init__(self) -> None:
        self._shelf.number(self.root)

    def app(self, token: str) -> ASGIApp:
        """Return the application; it answers those who know the token (`admission`)."""
        answers: dict[str, Answer] = {
            "/": self._run if self.is_run else self._folder,
            "/run": self._run,
            "/folder": self._folder,
            "/events": self._events,
        }
        routes = [Route(path, answer, methods=[*METHODS]) for path, answer in answers.items()]
        guard = Middleware(PageGuard, token=token, paths=list(answers))
        return Starlette(routes=routes, middleware=[guard])

    def close(self) -> None:
        """End all streams."""
        self._closing.set()
        for run in self._runs.values():
            run.wake()

    async def last_look(self) -> None:
        """Read once more the runs that pages watch: the end of a run writes much at once."""
        for run in [run for run in self._runs.values() if run.is_watched]:
            await run.look()

    async def _run(self, request: Request) -> Response:
        """Answer with the page of a run."""
        folder, number = self._named(request)
        if folder is None or not (self.is_run or kind_of(folder) is FolderKind.RUN):
            return _not_there()
        run = self._live(folder)
        try:
            async with asyncio.timeout(_READ_S):
                if not await run.look():
                    return _not_yet()
                text = await run.page(f"/events?n={number}")
        except ConfigError as error:
            return _html(list_page.message_page("No run", str(error)), 404)
        except TimeoutError:
            return _too_slow()
        return HTMLResponse(text, headers=_policy(f"{policy(live=True)}; frame-ancestors 'none'"))

    async def _folder(self, request: Request) -> Response:
        """Answer with the list of a folder's runs and experiments."""
        folder, _ = self._named(request)
        if folder is None or (folder != self.root and kind_of(folder) is not FolderKind.EXPERIMENT):
            return _not_there()
        try:
            async with asyncio.timeout(_READ_S):
                listing = await self._worker.call(lambda: self._shelf.listing(folder))
        except TimeoutError:
            return _too_slow()
        return _html(list_page.list_page(listing))

    async def _events(self, request: Request) -> Response:
        """Answer with the stream of a run's changes."""
        folder, _ = self._named(request)
        if folder is None or (folder not in self._runs and kind_of(folder) is not FolderKind.RUN):
            return _not_there()
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        if self._streams >= _MOST_STREAMS:
            return PlainTextResponse("too many pages are open", 503)
        mark = request.headers.get("last-event-id") or request.query_params.get("after", "")
        return EventStream(self._live(folder), mark, self._closing)

    def _named(self, request: Request) -> tuple[Path | None, str]:
        """Return the folder whose number a request gives, and the number; the root without one."""
        number = request.query_params.get("n", "0")
        return self._shelf.folder(number), number

    def _live(self, folder: Path) -> LiveRun:
        """Return a run as it is read; forget those that were looked at longest ago."""
        run = self._runs.pop(folder, None) or LiveRun(folder, self._worker, self.note)
        unwatched = [path for path, each in self._runs.items() if not each.is_watched]
        for path in unwatched[: len(unwatched) - _MOST_RUNS + 1]:
            del self._runs[path]
        self._runs[folder] = run
        return run


def _html(text: str, status: int = 200, **headers: str) -> Response:
    return HTMLResponse(text, status, {**_policy(list_page.policy()), **headers})


def _policy(rules: str) -> dict[str, str]:
    return {"Content-Security-Policy": rules}


def _not_there() -> Response:
    text = list_page.message_page("Not here", "There is no such run or folder.", again="/")
    return _html(text, 404)


def _too_slow() -> Response:
    told = f"This could not be read within {_READ_S:g} s. Reload the page to try again."
    return _html(list_page.message_page("Not yet", told), 503)


def _not_yet() -> Response:
    """Say that the run has not begun; the browser asks again by itself."""
    text = list_page.message_page("A run", "The run is about to begin. This page waits for it.")
    return _html(text, 200, Refresh="1")
