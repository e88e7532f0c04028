"""The bytes that ZeroMQ adds to frames on a TCP connection. Pure: numbers in, numbers out.

Sources: ZMTP 3.1, https://rfc.zeromq.org/spec/37/, and CurveZMQ, https://rfc.zeromq.org/spec/26/.
Each number was also measured on a socket under libzmq 4.3.5; tests/wire/test_zmtp.py repeats that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_SHORT_FRAME = 255

# signature 10 + version 2 + mechanism, padded, 20 + as-server 1 + filler 31
_GREETING = 64

# Metadata are properties, each with a length of 1 + name + a length of 4 + value. libzmq always
# sends these two, of a DEALER and of a ROUTER that set no routing id:
_METADATA = (1 + len("Socket-Type") + 4 + len("DEALER")) + (1 + len("Identity") + 4)

# A command of NULL is its name (a length of 1, the characters), then the metadata.
_NULL_READY = 1 + len("READY") + _METADATA

# CurveZMQ's commands: names, then versions, keys of 32, nonces of 8 or 16, and boxes, each of
# which is 16 longer than what is in it. HELLO: version 2, padding 72, key, nonce, box of 64 zeros.
_CURVE_HELLO = 6 + 2 + 72 + 32 + 8 + (16 + 64)
_CURVE_WELCOME = 8 + 16 + (16 + 32 + 96)  # a key and a cookie in the box
_CURVE_INITIATE = 9 + 96 + 8 + (16 + 32 + 16 + (16 + 32 + 32) + _METADATA)  # with a vouch of 80
_CURVE_READY = 6 + 8 + (16 + _METADATA)

# A heartbeat: name 1 + 4, time-to-live 2, an empty context. Its answer: name and context.
_PING, _PONG = 5 + 2, 5


@dataclass(frozen=True)
class Mechanism:
    """The bytes that one of ZMTP's security mechanisms adds to a connection.

    Attributes:
        name: plain (ZMTP's NULL) or curve, as in the setting `security` and in the journal.
        client_handshake, server_handshake: sent by each side before its first message.
        box: added to the body of every frame, including commands.
    """

    name: str
    client_handshake: int
    server_handshake: int
    box: int

    def frame_overhead(self, n_bytes: int) -> int:
        """Return the bytes that are added to a frame of `n_bytes`: its head and the box."""
        return self.box + _head(n_bytes + self.box)

    def framing(self, sizes: Sequence[int]) -> int:
        """Return the bytes that ZMTP adds to a message whose frames have these `sizes`."""
        return sum(self.frame_overhead(n) for n in sizes)

    @property
    def ping_bytes(self) -> int:
        """Bytes of a heartbeat."""
        return _PING + self.frame_overhead(_PING)

    @property
    def pong_bytes(self) -> int:
        """Bytes of the answer to a heartbeat."""
        return _PONG + self.frame_overhead(_PONG)


def _head(body: int) -> int:
    """Return the bytes before a frame's body: flags 1 + size 1, or 8 above 255 B."""
    return 2 if body <= _SHORT_FRAME else 9


def _shake(*commands: int) -> int:
    return _GREETING + sum(_head(n) + n for n in commands)


PLAIN: Final = Mechanism("plain", _shake(_NULL_READY), _shake(_NULL_READY), box=0)

# The body of a frame becomes a command: name 8 + nonce 8 + a box (16) of flags 1 and the body.
CURVE: Final = Mechanism(
    "curve",
    _shake(_CURVE_HELLO, _CURVE_INITIATE),
    _shake(_CURVE_WELCOME, _CURVE_READY),
    box=8 + 8 + 16 + 1,
)

MECHANISMS: Final = {each.name: each for each in (PLAIN, CURVE)}
