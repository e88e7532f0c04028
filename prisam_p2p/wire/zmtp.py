"""What ZeroMQ adds to our frames on a TCP connection. Pure: numbers in, numbers out.

Source: the ZMTP 3.1 specification, https://rfc.zeromq.org/spec/37/. Each figure was also read off
a socket under libzmq 4.3.5 (tests/wire/test_zmtp.py does so again).
"""

from __future__ import annotations

from collections.abc import Sequence

PING_BYTES = 9
"""A heartbeat: frame head 2 + name 1 + 4 ("PING") + time-to-live 2 + an empty context."""

PONG_BYTES = 7
"""Its answer: frame head 2 + name 1 + 4 ("PONG") + the ping's context, empty."""

_SHORT_FRAME = 255

# signature 10 + version 2 + mechanism, padded, 20 + as-server 1 + filler 31
_GREETING = 64

# READY is a command: its name (length 1 + 5 characters), then properties, each with
# a length of 1 + name + a length of 4 + value. libzmq always sends these two:
_READY = 1 + len("READY")
_SOCKET_TYPE = 1 + len("Socket-Type") + 4 + len("DEALER")  # ROUTER is as long
_IDENTITY = 1 + len("Identity") + 4


def frame_overhead(n_bytes: int) -> int:
    """Return the bytes before a frame's body of `n_bytes`: flags 1 + size 1, or 8 above 255 B."""
    return 2 if n_bytes <= _SHORT_FRAME else 9


def framing(sizes: Sequence[int]) -> int:
    """Return the bytes that ZMTP adds to a message of frames of `sizes` bytes."""
    return sum(frame_overhead(n) for n in sizes)


def handshake_bytes() -> int:
    """Return the bytes that each side sends before its first message: greeting + READY.

    Mechanism NULL; a DEALER and a ROUTER, neither of which set a routing id.
    """
    body = _READY + _SOCKET_TYPE + _IDENTITY
    return _GREETING + frame_overhead(body) + body
