"""Which keys a ROUTER accepts, and why a handshake failed.

ZeroMQ asks by ZAP (https://rfc.zeromq.org/spec/27/) about each client that proved to have the
secret key of its public key. The answer names this key as the user, so that it can be read off
every message of the connection.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import zmq
from pydantic import SecretStr
from zmq.utils import z85

from prisam_p2p.transport.messenger import Messenger
from prisam_p2p.transport.sockets import Context, readable
from prisam_p2p.wire.keys import Keys

_ENDPOINT = "inproc://zeromq.zap.01"

_WHY = {
    int(zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH): ("unencrypted", "it does not speak CURVE"),
    int(zmq.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC): ("wrong-key", "its keys are not the ones we know"),
}
SILENT = ("silent", "closed without a message")


def why(error: int) -> tuple[str, str]:
    """Return (verdict, reason) for an error of ZMTP in a handshake."""
    return _WHY.get(error, SILENT)


class ZapGate:
    """Accepts the neighbors' keys and no others. For the transport's thread.

    To be made before the ROUTER is bound.
    """

    def __init__(self, context: Context, keys: Keys, messenger: Messenger) -> None:
        self._names = {z85.decode(key): peer for peer, key in keys.neighbors.items()}
        self._messenger = messenger
        self._denied: Counter[str] = Counter()
        self.socket = context.socket(zmq.REP)
        self.socket.bind(_ENDPOINT)

    def admit(self, peer: str, public_key: str) -> bool:
        """Let a neighbor in by this key alone from now on; False where it had the same."""
        key = z85.decode(public_key)
        if self._names.get(key) == peer:
            return False
        self._names = {key: name for key, name in self._names.items() if name != peer}
        self._names[key] = peer
        return True

    def owner_of(self, frame: zmq.Frame) -> str:
        """Return the neighbor whose key opened the connection of `frame`; "" = not any more."""
        return self._names.get(z85.decode(str(frame.get("User-Id"))), "")

    def answer(self, _flags: int) -> None:
        """Answer every pending request: accept or deny its client."""
        while readable(self.socket):
            _version, request, _domain, address, _id, mechanism, *keys = (
                self.socket.recv_multipart()
            )
            peer = self._names.get(keys[0]) if mechanism == b"CURVE" else None
            if peer is None:
                host = address.decode()
                self._denied[host] += 1
                self._messenger.reject(host, "unknown-key", "a key that is no neighbor's")
            status = (
                [b"400", b"no neighbor", b""]
                if peer is None
                else [b"200", b"", z85.encode(keys[0])]
            )
            self.socket.send_multipart([b"1.0", request, *status, b""])

    def was_denied(self, host: str) -> bool:
        """Tell whether a connection from `host` that ends was denied here; each counts once."""
        self._denied[host] -= 1
        denied = self._denied[host] >= 0
        self._denied = +self._denied
        return denied

    def close(self) -> None:
        """Close the socket; pending handshakes fail."""
        self.socket.close(linger=0)


def make_keys(neighbors: Mapping[str, Sequence[str]]) -> dict[str, Keys]:
    """Return new keys for every peer.

    Args:
        neighbors: of every peer, by its name.
    """
    pairs = {peer: [key.decode() for key in zmq.curve_keypair()] for peer in neighbors}
    return {
        peer: Keys(
            public=public,
            secret=SecretStr(secret),
            neighbors={neighbor: pairs[neighbor][0] for neighbor in neighbors[peer]},
        )
        for peer, (public, secret) in pairs.items()
    }
