"""Whom a peer is grouped with, what it averaged, the masks it announced, and the Rand index."""

from __future__ import annotations

from base64 import b64encode
from hashlib import blake2b
from math import isfinite

from prisam_p2p.page.data.checked_lines import Line
from prisam_p2p.page.data.shared import Handlers, Shared
from prisam_p2p.report.groups import Labels, mean_rand_index

_MASK_NUMBER_BYTES = 6
"""Digest of a mask that numbers it: 48 bits, a number that a browser holds exactly."""


class GroupRows:
    """Folds the records of masks, groups and averages."""

    def __init__(self, shared: Shared) -> None:
        self._shared, self._tables = shared, shared.tables
        self._truth = shared.plan.data_groups
        self._labels: dict[int, dict[int, list[Labels]]] = {}
        self._stale_rounds: set[int] = set()

    @property
    def handlers(self) -> Handlers:
        """Record -> what folds it."""
        return {
            "masked": self._masked,
            "grouped": self._grouped,
            "aggregated": self._aggregated,
            "rejected": self._rejected,
        }

    def settle(self) -> None:
        """Compute the Rand index of the rounds in which a peer has grouped since the last call."""
        for at in sorted(self._stale_rounds):
            of_peers = self._labels[at]
            found = [labels for peer in sorted(of_peers) for labels in of_peers[peer]]
            self._tables["ari"].put(at, mean_rand_index(self._truth.groups_at(at), found))
        self._stale_rounds.clear()

    def _masked(self, peer: int, line: Line) -> None:
        self._group(peer, line, prune_ratio=line["prune_ratio"])
        bits = self._bits(line["similarity"] or line["structure"])
        if bits is not None and self._shared.rollups.masks.keeps(line["round"]):
            digest = blake2b(bits, digest_size=_MASK_NUMBER_BYTES).digest()
            number = int.from_bytes(digest, "big")
            self._tables["mask_bits"].put(number, b64encode(bits).decode())
            self._tables["masks"].put(peer, line["round"], number)

    def _bits(self, hexadecimal: str) -> bytes | None:
        """Return a mask's packed bits, None if it is none of this run."""
        try:
            bits = bytes.fromhex(hexadecimal)
        except ValueError:
            return None
        return bits if bits and len(bits) == -(-self._shared.plan.mask_bits // 8) else None

    def _grouped(self, peer: int, line: Line) -> None:
        members = self._shared.peers(line["group"])
        number, labels = self._shared.plan.number, None
        if self._shared.rollups.labels and line["labels"]:
            labels = sorted([number(who), label] for who, label in line["labels"].items())
        chosen = [each for each in members if each != peer]
        self._group(peer, line, members=members, chosen=chosen, labels=labels)
        self._choice(peer, line)
        known = {who: n for who, n in line["labels"].items() if who in self._shared.plan.numbers}
        self._labels.setdefault(line["round"], {}).setdefault(peer, []).append(known)
        self._stale_rounds.add(line["round"])

    def _choice(self, peer: int, line: Line) -> None:
        """Tell which of the k models a peer trained, where labels are numbers of models."""
        choice = line["labels"].get(self._shared.plan.ids[peer])
        if self._shared.plan.models and choice is not None:
            self._tables["choices"].put(peer, line["round"], choice)

    def _aggregated(self, peer: int, line: Line) -> None:
        number = self._shared.plan.number
        norms = [
            [number(who), round(norm, 4) if isfinite(norm) else None]
            for who, norm in sorted(line.get("norms", {}).items())
        ]
        self._group(peer, line, averaged=self._shared.peers(line["members"]), norms=norms)

    def _rejected(self, peer: int, line: Line) -> None:
        if not self._shared.rollups.groups.keeps(line["round"]):
            return
        found = self._tables["groups"].get((peer, line["round"]), "rejected") or []
        entry = [self._shared.plan.number(line["donor"]), line["check"]]
        if entry not in found:
            self._group(peer, line, rejected=[*found, entry])

    def _group(self, peer: int, line: Line, **cells: object) -> None:
        if self._shared.rollups.groups.keeps(line["round"]):
            self._tables["groups"].change((peer, line["round"]), **cells)
