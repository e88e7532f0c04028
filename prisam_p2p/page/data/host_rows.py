"""A row for each host of a run: where it is, how well its clock is known, whether it was lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from prisam_p2p.page.data.checked_lines import Line
from prisam_p2p.page.data.plan_facts import table, text, whole
from prisam_p2p.page.data.shared import LAUNCHER, Handlers, Shared
from prisam_p2p.page.redact import LEFT_OUT, Words
from prisam_p2p.report.run_folder import KERNEL


class HostRows:
    """Folds what the plan and the launcher's journal tell of hosts, and where each peer was.

    Args:
        words: of a redacted page leave out what the hosts are called elsewhere.
    """

    def __init__(self, shared: Shared, plan: Mapping[str, Any], words: Words) -> None:
        self._shared, self._words = shared, words
        self._rows, self._notes = shared.tables["hosts"], shared.tables["notes"]
        self._homes: dict[int, str] = {}
        hosts = table(plan.get("hosts"))
        self._hosts = table(hosts.get("hosts"))
        for host, offer in self._hosts.items():
            self._put(host, table(offer))
        for peer, host in table(hosts.get("placement")).items():
            self._move(peer, text(host))

    @property
    def launcher_handlers(self) -> Handlers:
        """Record of the launcher -> what folds it."""
        return {
            "host_up": lambda _, x: self._put(x["host"], x),
            "host_clock": self._clock,
            "host_lost": self._lost,
            "peer_started": lambda _, x: self._move(x["peer"], x.get("host", "")),
        }

    def conclude(self, told: Mapping[str, Any] | None) -> None:
        """Add the bytes of each host.

        Args:
            told: `hosts` of the summary; None: the run has none.
        """
        for host, each in (told or {}).get("hosts", {}).items():
            wire = each["wire"]
            cells = {"within": wire["within"], "sent": wire["out"], "received": wire["in"]}
            self._rows.change((host,), **{f"{way}_bytes": n for way, n in cells.items()})

    def _put(self, host: str, found: Mapping[str, Any]) -> None:
        """Take in where a host is: from the plan, or from its agent, which may be a later one."""
        cells = {name: text(found.get(name)) for name in ("node", "address")}
        if self._words.redact:
            self._words.leave_out({*_names(cells["node"])} - {*self._hosts})
            cells = {name: LEFT_OUT if each else "" for name, each in cells.items()}
        counts = {name: whole(found.get(name)) for name in ("cores", "memory_mib")}
        self._rows.change((host,), lost_s=None, reason="", **cells, **counts)
        if self._rows.get((host,), "peers") is None:
            self._rows.change((host,), peers=[])

    def _clock(self, _: int, line: Line) -> None:
        known = self._rows.get((line["host"],), "clock_bound_s")
        self._rows.change((line["host"],), clock_bound_s=max(known or 0.0, line["bound_s"]))

    def _lost(self, _: int, line: Line) -> None:
        at_s, host = self._shared.seconds(line["t_s"]), line["host"]
        self._rows.change((host,), lost_s=at_s, reason=line["reason"])
        peers = self._shared.peers(line["peers"])
        n = f"{len(peers)} peer{'s' * (len(peers) != 1)}"
        self._notes.put(at_s, LAUNCHER, f"host {host} lost with {n}: {line['reason']}")
        for peer in peers:
            self._notes.put(at_s, peer, f"lost with host {host}")

    def _move(self, peer: str, host: str) -> None:
        """Note that a peer is on a host now."""
        at = self._shared.plan.number(peer)
        before = self._homes.get(at, "")
        if at == LAUNCHER or not host or host == before:
            return
        self._homes[at] = host
        self._shared.tables["peers"].change((at,), host=host)
        for each in filter(None, (before, host)):
            there = sorted(peer for peer, home in self._homes.items() if home == each)
            self._rows.change((each,), peers=there)


def kernels_in(plan: Mapping[str, Any]) -> list[str]:
    """Return the journals of kernels that a run of this plan may get."""
    return [KERNEL, *(f"{KERNEL}-{host}" for host in table(table(plan.get("hosts")).get("hosts")))]


def _names(node: str) -> Iterable[str]:
    """Return the names by which a node may be called: with and without its domain."""
    return {node, node.partition(".")[0]} - {""}
