"""The keys of a run: a CURVE pair for each peer, new for every run, kept when a peer is restarted.

The launcher makes them. A peer gets its own pair and its neighbors' public keys in its spec, over
the socket it was started with, and nowhere else: no file, command line or environment has a
secret key in it (docs/security.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import zmq
from pydantic import BaseModel, ConfigDict, SecretStr, field_serializer


class Keys(BaseModel):
    """What one peer has to prove who it is, and to know its neighbors by; keys are Z85 text.

    Attributes:
        public, secret: its own.
        neighbors: peer -> its public key.
    """

    # An error of validation would print what it found wrong, into a log.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    public: str
    secret: SecretStr
    neighbors: dict[str, str]

    @field_serializer("secret", when_used="json")
    def _reveal(self, secret: SecretStr) -> str:
        return secret.get_secret_value()


def make_keys(neighbors: Mapping[str, Sequence[str]]) -> dict[str, Keys]:
    """Return new keys of every peer.

    Args:
        neighbors: of every peer.
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
