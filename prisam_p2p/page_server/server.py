"""Serves pages at 127.0.0.1 until it is told to stop, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

import uvicorn
from starlette.types import ASGIApp

from prisam_p2p.errors import ConfigError
from prisam_p2p.page_server.admission import new_token
from prisam_p2p.page_server.app import PageServer
from prisam_p2p.page_server.guard import TOKEN
from prisam_p2p.system.stop_requests import stop_requests

HOST = "127.0.0.1"
_NAMES = (HOST, "localhost")

_LOOK_FOR_STOP_S = 0.1
_LAST_LOOK_S = 20.0
"""The longest wait for a run's end to be read, for pages that watch it."""

_NICENESS = 5
"""Peers come first, where the page has no core of its own."""


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens at this machine's own address only.

    Raises:
        ConfigError: another address was asked for, or the port is not free.
    """
    if host not in _NAMES:
        right = (
            f"{HOST}: pages are for this machine's own browsers. From another machine, forward "
            "the port: ssh -L 8000:127.0.0.1:PORT THIS_MACHINE, and open the address there with "
            "port 8000"
        )
        raise ConfigError("--host", "", host, right)
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a restart may take its port again
    try:
        made.bind((HOST, port))
        made.listen()
    except (OSError, OverflowError) as error:
        made.close()
        why = error.strerror if isinstance(error, OSError) else str(error)
        right = f"a free port, or 0 for any that is free: {why}"
        raise ConfigError("--port", "", port, right) from error
    return made


def serve(
    pages: PageServer,
    listener: socket.socket,
    announce: Callable[[str], object],
    stop_asked: Callable[[], bool] = lambda: False,
) -> None:
    """Serve until Ctrl-C or SIGTERM, or until `stop_asked`, which then lets pages have the end.

    Args:
        announce: called with the address when the server answers.
        stop_asked: asked ten times a second.
    """
    with suppress(OSError):
        os.nice(_NICENESS)
    token, port = new_token(), listener.getsockname()[1]
    address = f"http://{HOST}:{port}/?{TOKEN}={token}"
    with closing(listener), stop_requests() as stopped:
        server = _Server(_config(pages.app(token)))
        asyncio.run(_serve(server, pages, listener, stopped, stop_asked, lambda: announce(address)))


async def _serve(
    server: _Server,
    pages: PageServer,
    listener: socket.socket,
    stopped: Callable[[], bool],
    stop_asked: Callable[[], bool],
    began: Callable[[], object],
) -> None:
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    told = False
    while not serving.done() and not stopped():
        if server.started and not told:
            told = True
            began()
        if stop_asked():
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_LOOK_S):
                    await pages.last_look()
            break
        await asyncio.sleep(_LOOK_FOR_STOP_S)
    pages.close()
    server.should_exit = True
    await serving


class _Server(uvicorn.Server):
    """Leaves signals to `stop_requests`."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """See uvicorn."""
        yield


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        http="h11",
        loop="asyncio",
        log_config=None,  # errors of ours go to stderr; requests are told to nobody
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
        limit_concurrency=200,
    )
