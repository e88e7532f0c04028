"""The keys by which the peers of a run identify each other: one pair per run and peer.

The launcher makes them; where the peers live on several hosts each host makes those of its own, and
the launcher knows the public ones only. A peer gets its own pair and its neighbors' public keys in
its spec, over the socket it was started with, and nowhere else: no file, command line or
environment has a secret key in it (docs/security.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, SecretStr, field_serializer


class Keys(BaseModel):
    """The keys of one peer, Z85 text: its own pair, and its neighbors' public keys.

    Attributes:
        public, secret: its own pair; no secret where another host knows it. A connection needs it.
        neighbors: peer -> its public key.
        signing: peer -> the key that its signatures are checked by (signatures.py), of all peers of
            the run, itself included; {} where masks are not relayed.
    """

    # Otherwise a validation error would print the keys into a log.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    public: str
    secret: SecretStr | None = None
    neighbors: dict[str, str]
    signing: dict[str, str] = {}

    @field_serializer("secret", when_used="json")
    def _reveal(self, secret: SecretStr | None) -> str | None:
        return secret.get_secret_value() if secret else None

    def own_secret(self) -> str:
        """Return the secret key.

        Raises:
            ValueError: it is not here.
        """
        if self.secret is None:
            raise ValueError(f"the secret key of {self.public} is not here: its host has it")
        return self.secret.get_secret_value()


def keys_without_secrets(
    public: Mapping[str, str],
    neighbors: Mapping[str, Sequence[str]],
    signing: Mapping[str, str] | None = None,
) -> dict[str, Keys]:
    """Return the keys of every peer, as far as others may know them.

    Args:
        public: peer -> its public key.
        neighbors: of every peer, by its name.
        signing: peer -> the key that its signatures are checked by; None where nobody signs.
    """
    return {
        peer: Keys(
            public=public[peer],
            neighbors={n: public[n] for n in linked},
            signing=dict(signing or {}),
        )
        for peer, linked in neighbors.items()
    }
