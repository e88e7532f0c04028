"""Server-sent events of one page: what changed in its run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

from starlette.responses import StreamingResponse
from starlette.types import Message, Send

from prisam_p2p.page_server.live_run import LiveRun

HEARTBEAT_S = 15.0
"""A page that hears nothing else gets a comment this often, so that nothing between closes."""

_SEND_S = 30.0
"""A page that takes nothing for so long is disconnected. It connects again by itself."""

_RETRY_MS = 2000
_PIECE = 1 << 16
"""So much is given to the connection at a time: a page that does not read holds no more."""


class EventStream(StreamingResponse):
    """The stream of one page, which has what `mark` says."""

    def __init__(self, run: LiveRun, mark: str, closing: asyncio.Event) -> None:
        self._events = _events(run, mark, closing)
        super().__init__(self._events, media_type="text/event-stream")

    async def stream_response(self, send: Send) -> None:
        """See Starlette."""

        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(_SEND_S):
                await send(message)

        async with aclosing(self._events):
            await super().stream_response(send_in_time)


async def _events(run: LiveRun, mark: str, closing: asyncio.Event) -> AsyncGenerator[str, None]:
    yield f"retry: {_RETRY_MS}\n\n"
    async with run.watched():
        while True:
            ending = closing.is_set()
            news = run.feed.after(mark) if ending else await run.news(mark, HEARTBEAT_S)
            if news is None and ending:
                break
            if news is None:
                if not closing.is_set():
                    yield ": alive\n\n"
                continue
            if news.text is None:
                mark, text = await run.snapshot()
                name = "snapshot"
            else:
                mark, text, name = run.feed.mark_of(news.version), news.text, "update"
            for piece in _pieces(f"event: {name}\nid: {mark}\ndata: {text}\n\n"):
                yield piece
    yield "event: bye\ndata: {}\n\n"


def _pieces(text: str) -> Iterator[str]:
    for begin in range(0, len(text), _PIECE):
        yield text[begin : begin + _PIECE]
