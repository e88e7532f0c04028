"""Builds a peer's part in relaying masks from its spec (--mask-hops)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from prisam_p2p.control.spec import PeerSpec
from prisam_p2p.peer.relay import Relay
from prisam_p2p.peer.relay_book import RelayBook
from prisam_p2p.peer.round_deadline import DeadlineRule, RoundDeadline
from prisam_p2p.transport.known_masks import KnownMasks
from prisam_p2p.transport.sessions import Identity
from prisam_p2p.transport.transport import Transport
from prisam_p2p.transport.zap import bytes_of
from prisam_p2p.wire.relay_messages import RelayedMask
from prisam_p2p.wire.signatures import Signer, Verifier, unsigned


@dataclass(frozen=True)
class Relaying:
    """What the transport and the relay of one peer share."""

    spec: PeerSpec
    identity: Identity
    known: KnownMasks
    verifier: Verifier | None

    @property
    def of_transport(self) -> dict[str, Any]:
        """Fields of LocalPeer."""
        others = [p for p in self.spec.members if p not in {*self.spec.neighbors, self._me}]
        return {"known_masks": self.known, "strangers": others, "holds": self.holds}

    def holds(self, mask: RelayedMask) -> bool:
        """Tell whether its origin signed a mask, or where connections are plain, nobody did."""
        return self.verifier.holds(mask) if self.verifier else not mask.signature

    def make(self, transport: Transport, n_bits: int) -> Relay:
        """Return the relay of a peer whose masks have this length."""
        spec, s, keys = self.spec, self.spec.settings, self.spec.keys
        book = RelayBook(
            self._me, spec.neighbors, self.known, spec.members, s.mask_hops, n_bits, self.holds
        )
        own_key = bytes_of(keys.public) if keys else b""
        card = RelayedMask(
            self._me,
            0,
            self.identity.incarnation,
            spec.address,
            transport.port,
            own_key,
            unsigned(own_key),
        )
        sign = Signer(keys.own_secret(), self.identity.run_id).sign if keys else _as_it_is
        # No quorum: the wait for the neighbors' masks had one, in the same round.
        deadline = RoundDeadline(DeadlineRule(s.round_timeout_s, s.round_deadline_k, quorum=0.0))
        return Relay(book, card, sign, transport, deadline)

    @property
    def _me(self) -> str:
        return self.spec.peer_id


def make_relaying(spec: PeerSpec, identity: Identity) -> Relaying | None:
    """Return what relays this peer's masks; None where they go to its neighbors only."""
    if not spec.members:
        return None
    verifier = Verifier(spec.keys.signing, identity.run_id) if spec.keys else None
    return Relaying(spec, identity, KnownMasks(spec.members), verifier)


def _as_it_is(mask: RelayedMask) -> RelayedMask:
    return mask
