"""Stands before every answer: refuses what `admission` refuses, and sets the headers of all."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from prisam_p2p.page_server import list_page
from prisam_p2p.page_server.admission import (
    METHODS,
    PLAIN_POLICY,
    SAFETY_HEADERS,
    PageRequest,
    Refusal,
    cookie_name,
    refusal,
)

TOKEN = "token"
"""Its name in the query of the printed address."""


class PageGuard:
    """Lets only requests of the user's own browser through to `app`.

    Args:
        token: see `admission`.
        paths: all that `app` answers at.
    """

    def __init__(self, app: ASGIApp, token: str, paths: Sequence[str]) -> None:
        self._app, self._token, self._paths = app, token, paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            raise ValueError(f"{scope['type']} is turned off in server.py")
        request = Request(scope)
        asked = PageRequest(
            method=request.method,
            path=scope["path"],
            hosts=request.headers.getlist("host"),
            token=request.query_params.get(TOKEN, ""),
            cookies=request.cookies,
        )
        answer: ASGIApp = self._app
        if refused := refusal(asked, self._token, self._paths):
            answer = _refused(refused)
        elif asked.token:
            answer = self._admitted(asked)
        await answer(scope, receive, _with_safety(send))

    def _admitted(self, asked: PageRequest) -> Response:
        """Turn the token into a cookie, and take it out of the address."""
        answer = RedirectResponse(asked.path, status_code=303)
        name = cookie_name(asked.hosts[0])
        answer.set_cookie(name, self._token, httponly=True, samesite="strict", path="/")
        return answer


def _refused(refused: Refusal) -> Response:
    # A link on a page of another site brings no cookie; one on this page does.
    again = "/" if refused.status == 403 else ""
    text = list_page.message_page("Not shown", refused.reason, again=again)
    policy = {"Content-Security-Policy": list_page.policy()}
    allowed = {"Allow": ", ".join(METHODS)} if refused.status == 405 else {}
    return HTMLResponse(text, refused.status, {**policy, **allowed})


def _with_safety(send: Send) -> Send:
    async def send_with_safety(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("Content-Security-Policy", PLAIN_POLICY)
            for name, value in SAFETY_HEADERS.items():
                headers[name] = value
        await send(message)

    return send_with_safety
