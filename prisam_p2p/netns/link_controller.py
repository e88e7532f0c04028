"""Apply link states to the namespaces and count their effects, in the holder process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from prisam_p2p.netns import nft
from prisam_p2p.netns.bridge import PeerNamespace
from prisam_p2p.netns.delay_queue import DelayProcess
from prisam_p2p.plan.link_properties import CLEAR, LinkState

Key = tuple[int, int]
"""Indices of the sender and of the receiver in the list of peers."""

NETEM, NFQUEUE = "netem", "nfqueue"


class LinkController:
    """Sets and counts the state of all directed links between the peers; clear at first.

    Of a link between two hosts, each does its end: the sender's host the rate (and netem's delay),
    the receiver's host cuts, losses, resets and counts (and NFQUEUE's delay).

    Args:
        peers: the namespaces of those on this host.
        addresses: of all peers.
        netem: whether the kernel has it.

    Attributes:
        delay_by: what delays packets: NETEM, NFQUEUE, or None where the kernel has neither.
    """

    def __init__(
        self, peers: Mapping[int, PeerNamespace], addresses: Sequence[str], netem: bool
    ) -> None:
        self._peers, self._addresses = peers, addresses
        self._queue = queue_rule(next(iter(peers.values())).firewall)
        self.delay_by = NETEM if netem else NFQUEUE if self._queue else None
        self._states: dict[Key, LinkState] = {}  # without the clear ones
        self._resets: dict[Key, int] = {}
        net_fds = {index: peer.net_fd for index, peer in peers.items()}
        self._delays = DelayProcess(net_fds, len(addresses))

    def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        """Carry out an order and return the answer.

        Args:
            order: {"apply": [[sender, receiver, state], ..]} or {"count": [sender, receiver]}.

        Raises:
            OSError, pyroute2.NetlinkError: the kernel refused.
            ValueError: a link should have a delay, and the kernel cannot delay packets.
        """
        if "apply" in order:
            self._apply({(a, b): LinkState(**state) for a, b, state in order["apply"]})
            return {"applied": True, "delay_pid": self._delays.pid}
        return {"counts": self._counts(*order["count"])}

    def _apply(self, wanted: dict[Key, LinkState]) -> None:
        keys = wanted.keys() | self._states.keys()
        changed = {
            key: state
            for key in keys
            if (state := wanted.get(key, CLEAR)) != self._states.get(key, CLEAR)
        }
        for (sender, receiver), state in changed.items():
            if sender in self._peers:
                self._peers[sender].shaper.set(receiver, self._addresses[receiver], state)
        changed = {key: state for key, state in changed.items() if key[1] in self._peers}
        resets = [key for key, state in changed.items() if state.cut == "reset"]
        self._reset_connections(resets)  # before the cut, which would stop their RSTs
        self._set_delays(changed, start=True)
        for receiver in {receiver for _, receiver in changed}:
            self._replace_rules(receiver, wanted)
        self._set_delays(changed, start=False)
        self._reset_connections(resets)  # connections made since the first time
        self._states = {key: state for key, state in wanted.items() if state != CLEAR}

    def _replace_rules(self, receiver: int, wanted: dict[Key, LinkState]) -> None:
        """Replace the firewall rules at the receiver's input by those of the links to it."""
        counters: list[str] = []
        rules: list[nft.Rule] = []
        for (sender, to), state in wanted.items():
            if to == receiver and state != CLEAR:
                counters += [f"{kind}{sender}" for kind in ("cut", "lost", "delayed")]
                rules += self._rules(sender, state)
        self._peers[receiver].firewall.replace(counters, rules)

    def _rules(self, sender: int, state: LinkState) -> list[nft.Rule]:
        source = nft.from_address(self._addresses[sender])
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

    def _set_delays(self, changed: dict[Key, LinkState], start: bool) -> None:
        """Give links to the delay process that have a delay (`start`), or that had one."""
        for (sender, receiver), state in changed.items():
            before = _delayed(self._states.get((sender, receiver), CLEAR))
            if _delayed(state) is not start or not (start or before) or self.delay_by == NETEM:
                continue
            if self.delay_by is None:
                raise ValueError("this kernel has neither netem nor NFQUEUE to delay packets with")
            self._delays.set(sender, receiver, state)

    def _reset_connections(self, keys: Sequence[Key]) -> None:
        """Destroy connections at the receivers, so that the senders get an RST."""
        for sender, receiver in keys:
            remote = self._addresses[sender]
            destroyed = self._peers[receiver].resetter.destroy(remote)
            self._resets[sender, receiver] = self._resets.get((sender, receiver), 0) + destroyed

    def _counts(self, sender: int, receiver: int) -> dict[str, int | None]:
        packets = self._peers[receiver].firewall.packets()
        counts: dict[str, int | None] = {
            kind: packets.get(f"{kind}{sender}", 0) for kind in ("cut", "lost", "delayed")
        }
        if self.delay_by == NETEM:
            counts["delayed"] = None
        return {**counts, "reset": self._resets.get((sender, receiver), 0)}


def queue_rule(firewall: nft.Firewall) -> Any:
    """Return nft.queue or nft.queue_compat, whichever this kernel accepts; None without either."""
    for rule in (nft.queue, nft.queue_compat):
        with suppress(OSError):
            firewall.replace([], [nft.from_address("0.0.0.0") + rule(0)])
            firewall.replace([], [])
            return rule
    return None


def _delayed(state: LinkState) -> bool:
    return state.delay_ms > 0 or state.jitter_ms > 0
