"""The directed links of a network, in the holder: what is asked for, against what is."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from prisam_p2p.netns import nft
from prisam_p2p.netns.building import Place
from prisam_p2p.netns.delay_queue import Delayer
from prisam_p2p.plan.link_properties import CLEAR, LinkState

Key = tuple[int, int]
"""Sender and receiver, by their place in the list of peers."""

NETEM, NFQUEUE = "netem", "nfqueue"


class Links:
    """All links of `places`; clear at first.

    Attributes:
        delay_by: what holds packets back: netem, nfqueue; None where the kernel has neither.
    """

    def __init__(self, places: Sequence[Place], netem: bool) -> None:
        self._places = places
        self._queue = queue_rule(places[0].firewall)
        self.delay_by = NETEM if netem else NFQUEUE if self._queue else None
        self._are: dict[Key, LinkState] = {}
        self._resets: dict[Key, int] = {}
        self._delayer = Delayer([place.net_fd for place in places])

    def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        """Do {"apply": [[sender, receiver, state], ..]} or {"count": [sender, receiver]}; answer.

        Raises:
            OSError, pyroute2.NetlinkError: the kernel refused.
            ValueError: it cannot hold packets back.
        """
        if "apply" in order:
            self._apply({(a, b): LinkState(**state) for a, b, state in order["apply"]})
            return {"applied": True}
        return {"counts": self._counts(*order["count"])}

    def _apply(self, wanted: dict[Key, LinkState]) -> None:
        keys = wanted.keys() | self._are.keys()
        changed = {
            key: state
            for key in keys
            if (state := wanted.get(key, CLEAR)) != self._are.get(key, CLEAR)
        }
        for (sender, receiver), state in changed.items():
            address = self._places[receiver].address
            self._places[sender].shaper.set(receiver, address, state)
        resets = [key for key, state in changed.items() if state.cut == "reset"]
        self._destroy(resets)  # while their RSTs still go through
        self._hold_back(changed, start=True)
        for receiver in {receiver for _, receiver in changed}:
            self._filter(receiver, wanted)
        self._hold_back(changed, start=False)
        self._destroy(resets)  # what came up in between
        self._are = {key: state for key, state in wanted.items() if state != CLEAR}

    def _filter(self, receiver: int, wanted: dict[Key, LinkState]) -> None:
        """Make the rules at `receiver`'s input those of the links to it."""
        counters: list[str] = []
        rules: list[nft.Rule] = []
        for (sender, to), state in wanted.items():
            if to == receiver and state != CLEAR:
                counters += [f"{kind}{sender}" for kind in ("cut", "lost", "delayed")]
                rules += self._rules(sender, state)
        self._places[receiver].firewall.replace(counters, rules)

    def _rules(self, sender: int, state: LinkState) -> list[nft.Rule]:
        source = nft.from_address(self._places[sender].address)
        rules = []
        if state.cut in ("reject", "reset"):
            rules.append(source + nft.tcp() + nft.count(f"cut{sender}") + nft.reject())
        if state.cut:
            rules.append(source + nft.count(f"cut{sender}") + nft.drop())
        if state.loss:
            rules.append(
                source + nft.by_chance(state.loss) + nft.count(f"lost{sender}") + nft.drop()
            )
        if _delayed(state) and self.delay_by == NFQUEUE and self._queue:
            rules.append(source + nft.count(f"delayed{sender}") + self._queue(sender))
        return rules

    def _hold_back(self, changed: dict[Key, LinkState], start: bool) -> None:
        """Tell the delayer of links that get a delay (`start`), or have one no more."""
        for (sender, receiver), state in changed.items():
            before = _delayed(self._are.get((sender, receiver), CLEAR))
            if _delayed(state) is not start or not (start or before) or self.delay_by == NETEM:
                continue
            if self.delay_by is None:
                raise ValueError("this kernel has neither netem nor queues to delay packets with")
            self._delayer.set(sender, receiver, state)

    def _destroy(self, keys: Sequence[Key]) -> None:
        """Reset connections at the receivers: the senders get the RST."""
        for sender, receiver in keys:
            remote = self._places[sender].address
            destroyed = self._places[receiver].resetter.destroy(remote)
            self._resets[sender, receiver] = self._resets.get((sender, receiver), 0) + destroyed

    def _counts(self, sender: int, receiver: int) -> dict[str, int | None]:
        packets = self._places[receiver].firewall.packets()
        counts: dict[str, int | None] = {
            kind: packets.get(f"{kind}{sender}", 0) for kind in ("cut", "lost", "delayed")
        }
        if self.delay_by == NETEM:
            counts["delayed"] = None
        return {**counts, "reset": self._resets.get((sender, receiver), 0)}


def queue_rule(firewall: nft.Firewall) -> Any:
    """Return what makes the rule that hands a packet to a queue here, None without such."""
    for rule in (nft.queue, nft.queue_compat):
        with suppress(OSError):
            firewall.replace([], [nft.from_address("0.0.0.0") + rule(0)])
            firewall.replace([], [])
            return rule
    return None


def _delayed(state: LinkState) -> bool:
    return state.delay_ms > 0 or state.jitter_ms > 0
