"""The keys by which the peers of a run identify each other: one pair per run and peer.

The launcher makes them. A peer gets its own pair and its neighbors' public keys in its spec, over
the socket it was started with, and nowhere else: no file, command line or environment has a
secret key in it (docs/security.md).
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, SecretStr, field_serializer


class Keys(BaseModel):
    """The keys of one peer, Z85 text: its own pair, and its neighbors' public keys.

    Attributes:
        public, secret: its own pair.
        neighbors: peer -> its public key.
    """

    # Otherwise a validation error would print the keys into a log.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    public: str
    secret: SecretStr
    neighbors: dict[str, str]

    @field_serializer("secret", when_used="json")
    def _reveal(self, secret: SecretStr) -> str:
        return secret.get_secret_value()
