"""Which keys a ROUTER accepts, and why a handshake failed.

ZeroMQ asks by ZAP (https://rfc.zeromq.org/spec/27/) about each client that proved to have the
secret key of its public key. The answer names this key as the user, and says how many connections
there were by then, so that both can be read off every message of the connection.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import zmq
from pydantic import SecretStr
from zmq.utils import z85

from prisam_p2p.transport.messenger import Messenger
from prisam_p2p.transport.sockets import Context, readable
from prisam_p2p.wire.keys import Keys, keys_without_secrets
from prisam_p2p.wire.signatures import public_key_of

_ENDPOINT = "inproc://zeromq.zap.01"
_NUMBERED = "Numbered"

_WHY = {
    int(zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH): ("unencrypted", "it does not speak CURVE"),
    int(zmq.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC): ("wrong-key", "its keys are not the ones we know"),
}
SILENT = ("silent", "closed without a message")
_OF_LOST_HOST = "the key of a process whose host was lost"


def why(error: int) -> tuple[str, str]:
    """Return (verdict, reason) for an error of ZMTP in a handshake."""
    return _WHY.get(error, SILENT)


class ZapGate:
    """Accepts the neighbors' keys and no others. For the transport's thread.

    To be made before the ROUTER is bound.

    Args:
        n_numbered: takes in what has happened to connections, and tells how many there were so far.
        lets_strangers_speak: accept any key: a client whose key is no neighbor's must show first
            whose it is (Router).
    """

    def __init__(
        self,
        context: Context,
        keys: Keys,
        messenger: Messenger,
        n_numbered: Callable[[], int],
        lets_strangers_speak: bool = False,
    ) -> None:
        self._names = {z85.decode(key): peer for peer, key in keys.neighbors.items()}
        self._fenced: dict[bytes, str] = {}
        self._lets_strangers_speak = lets_strangers_speak
        self._messenger, self._n_numbered = messenger, n_numbered
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

    def fence(self, peer: str) -> None:
        """Let a neighbor in by no key until `admit` names its next one."""
        self._fenced |= {key: name for key, name in self._names.items() if name == peer}
        self._names = {key: name for key, name in self._names.items() if name != peer}

    def owner_of(self, frame: zmq.Frame) -> str:
        """Return the neighbor whose key opened the connection of `frame`; "" = not any more."""
        return self._names.get(key_of(frame), "")

    def why_replaced(self, host: str, frame: zmq.Frame) -> tuple[str, str, str]:
        """Return (who, verdict, reason) for a message by a key that is admitted no more.

        Args:
            host: where it came from.
        """
        if neighbor := self._fenced.get(key_of(frame)):
            return neighbor, "fenced", _OF_LOST_HOST
        if self._lets_strangers_speak:
            return host, "unknown-key", "a key that nobody of the run was shown to have"
        return host, "unknown-key", "a key that was replaced"

    @staticmethod
    def numbered_before(frame: zmq.Frame) -> int:
        """Return how many connections were numbered when that of `frame` was let in."""
        return int(str(frame.get(_NUMBERED)))

    def answer(self, _flags: int) -> None:
        """Answer every pending request: accept or deny its client."""
        while readable(self.socket):
            _version, request, _domain, address, _id, mechanism, *keys = (
                self.socket.recv_multipart()
            )
            n_numbered = self._n_numbered()  # a denied client hangs up: its address is read before
            peer = self._names.get(keys[0]) if mechanism == b"CURVE" else None
            speaks = self._lets_strangers_speak and mechanism == b"CURVE"
            accepted = peer is not None or (speaks and keys[0] not in self._fenced)
            if not accepted:
                host = address.decode()
                self._denied[host] += 1
                if neighbor := self._fenced.get(keys[0]) if keys else None:
                    self._messenger.reject(neighbor, "fenced", _OF_LOST_HOST)
                else:
                    self._messenger.reject(host, "unknown-key", "a key that is no neighbor's")
            status = (
                [b"400", b"no neighbor", b"", b""]
                if not accepted
                else [b"200", b"", z85.encode(keys[0]), _property(_NUMBERED, str(n_numbered))]
            )
            self.socket.send_multipart([b"1.0", request, *status])

    def was_denied(self, host: str) -> bool:
        """Tell whether a connection from `host` that ends was denied here; each counts once."""
        self._denied[host] -= 1
        denied = self._denied[host] >= 0
        self._denied = +self._denied
        return denied

    def close(self) -> None:
        """Close the socket; pending handshakes fail."""
        self.socket.close(linger=0)


def _property(name: str, value: str) -> bytes:
    """Return a property of all messages of a connection, as ZMTP encodes metadata."""
    return bytes([len(name)]) + name.encode() + len(value).to_bytes(4, "big") + value.encode()


def key_of(frame: zmq.Frame) -> bytes:
    """Return the key by which the connection of `frame` was opened."""
    return z85.decode(str(frame.get("User-Id")))


def make_keys(neighbors: Mapping[str, Sequence[str]], sign: bool = False) -> dict[str, Keys]:
    """Return new keys for every peer.

    Args:
        neighbors: of every peer, by its name.
        sign: they sign what is relayed of them.
    """
    pairs = {peer: make_pair() for peer in neighbors}
    public = {peer: own for peer, (own, _) in pairs.items()}
    signing = {
        peer: public_key_of(secret.get_secret_value())
        for peer, (_, secret) in (pairs.items() if sign else ())
    }
    known = keys_without_secrets(public, neighbors, signing)
    return {
        peer: keys.model_copy(update={"secret": pairs[peer][1]}) for peer, keys in known.items()
    }


def z85_of(key: bytes) -> str:
    """Return a public key as text; "" for none."""
    return z85.encode(key).decode() if key else ""


def bytes_of(key: str) -> bytes:
    """Return a public key given as text."""
    return z85.decode(key)


def make_pair() -> tuple[str, SecretStr]:
    """Return a new (public key, secret key), Z85 text."""
    public, secret = zmq.curve_keypair()
    return public.decode(), SecretStr(secret.decode())
