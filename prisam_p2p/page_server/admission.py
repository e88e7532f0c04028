"""Who may ask the server what. Pure: facts of a request in, a refusal out.

The server shows a user's runs to this user's browser only. Other pages in the same browser, other
users of the machine and other machines get nothing:

- it listens at 127.0.0.1 only (server.py);
- the Host that a browser names must be this machine's own, or a foreign name that was made to point
  here (DNS rebinding) could read the answers;
- a random token in the printed address becomes a cookie that scripts cannot read and that other
  sites' pages do not send;
- it answers GET and HEAD, at a fixed table of paths.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

HOSTS = ("127.0.0.1", "localhost", "[::1]")
"""Names of this machine in a Host header; also those that `ssh -L` makes a browser use."""

METHODS = ("GET", "HEAD")

SAFETY_HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Headers of every answer."""

PLAIN_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""The content security policy of answers that are no page."""

_TOKEN_BYTES = 32


@dataclass(frozen=True)
class PageRequest:
    """A request.

    Attributes:
        hosts: its Host headers, of which there should be one.
        token: of the query, "" without one.
        cookies: name -> value.
    """

    method: str
    path: str
    hosts: Sequence[str]
    token: str
    cookies: Mapping[str, str]


@dataclass(frozen=True)
class Refusal:
    """Why a request gets nothing: the status, and a sentence for the reader."""

    status: int
    reason: str


def new_token() -> str:
    """Return a token that nobody can guess."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def refusal(asked: PageRequest, token: str, paths: Sequence[str]) -> Refusal | None:
    """Return why a request is refused, None if it is not.

    Args:
        token: the server's own.
        paths: all that it answers at.
    """
    if len(asked.hosts) != 1 or host_name(asked.hosts[0]) not in HOSTS:
        return Refusal(421, f"this server answers at {', '.join(HOSTS)} only")
    if asked.method not in METHODS:
        return Refusal(405, "this server only shows: it answers GET and HEAD")
    if asked.path not in paths:
        return Refusal(404, "there is no such page")
    if asked.token:
        if not _same(asked.token, token):
            return Refusal(403, "this address is not the one that was printed last")
    elif not _same(asked.cookies.get(cookie_name(asked.hosts[0]), ""), token):
        return Refusal(403, "open the address that was printed: it has a key in it")
    return None


def host_name(host: str) -> str:
    """Return a Host header without its port, in lower case."""
    name, colon, port = host.rpartition(":")
    bare = name if colon and port.isascii() and port.isdigit() else host
    return bare.lower()


def cookie_name(host: str) -> str:
    """Return the cookie's name: cookies are the same at all ports, and two servers are not.

    The port is the one that the browser uses: with `ssh -L` it is not the server's.
    """
    port = host.rpartition(":")[2] if host_name(host) != host.lower() else "80"
    return f"prisam_view_{port}"


def _same(one: str, other: str) -> bool:
    """Compare in a time that tells nothing about how much is the same."""
    return hmac.compare_digest(one.encode(errors="replace"), other.encode(errors="replace"))
