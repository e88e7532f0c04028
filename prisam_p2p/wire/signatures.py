"""Signatures of relayed masks: a relay can withhold one, but neither forge nor alter it. Pure.

A peer signs by Ed25519 (RFC 8032). Its signing key follows from its secret CURVE key, so there is
no second secret to hand out; nobody can tell one from the other. The public halves of all peers of
a run are in its roster (keys.py), from the launcher.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

import msgpack

from prisam_p2p.wire.relay_messages import SIGNATURE_BYTES, RelayedMask

_SAYS = "prisam: relayed mask 1"


class Signer:
    """Signs what one peer says of itself.

    Args:
        secret: its secret CURVE key, Z85 text.
        run_id: nothing that is signed in one run holds in another.
    """

    def __init__(self, secret: str, run_id: bytes) -> None:
        # Late: a run without keys does without the library, which is 5 MiB of memory.
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        seed = hashlib.blake2b(secret.encode(), digest_size=32, person=b"ed25519", salt=b"prisam")
        self._key = Ed25519PrivateKey.from_private_bytes(seed.digest())
        self._run_id = run_id

    @cached_property
    def public_key(self) -> str:
        """By which its signatures are checked: 64 hexadecimal digits."""
        return self._key.public_key().public_bytes_raw().hex()

    def sign(self, said: RelayedMask) -> RelayedMask:
        """Return `said` with its signature. The mask must be in it."""
        return replace(said, signature=self._key.sign(statement(self._run_id, said)))


class Verifier:
    """Checks signatures.

    Args:
        public_keys: peer -> its Ed25519 key, 64 hexadecimal digits.
    """

    def __init__(self, public_keys: Mapping[str, str], run_id: bytes) -> None:
        self._public_keys, self._run_id = dict(public_keys), run_id

    def holds(self, said: RelayedMask) -> bool:
        """Tell whether its origin has signed it as it stands here, mask included."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        known = self._public_keys.get(said.origin)
        if known is None:
            return False
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(known))
        try:
            key.verify(said.signature, statement(self._run_id, said))
        except InvalidSignature:
            return False
        return True


def statement(run_id: bytes, said: RelayedMask) -> bytes:
    """Return what is signed: the run, and every field but the signature, unambiguously."""
    where = (said.address, said.port, said.public_key)
    fields = (said.origin, said.version, said.incarnation, *where, said.n_bits, said.bits)
    return bytes(msgpack.packb([_SAYS, run_id, *fields]))


def public_key_of(secret: str) -> str:
    """Return the Ed25519 key, 64 hexadecimal digits, that goes with a secret CURVE key."""
    return Signer(secret, b"").public_key


def unsigned(public_key: bytes) -> bytes:
    """Return what stands for a signature until there is one."""
    return bytes(SIGNATURE_BYTES) if public_key else b""
