"""The trace of a run, from the tables of its page (docs/trace.md)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import count
from statistics import fmean
from typing import Any

from prisam_p2p.page.data.shared import AGGREGATED
from prisam_p2p.trace.events import (
    NETWORK,
    PHASES,
    Event,
    Track,
    arrow,
    counter,
    instant,
    lanes,
    of_peer,
    phases_of,
    process_name,
    slice_of,
    track_name,
)

Row = dict[str, Any]

FIRST_PULL, FIRST_SERVING = 1, 50_000
"""Lanes of a peer: those of its pulls, and those of what it serves."""

FIRST_HOST = 50_000
"""Lanes of the network beyond those of the faults: one a host."""

MIB = 2**20
_WITHIN_S = 1e-6
"""So much before its end an arrow reaches a slice: at the very end chrome://tracing finds none."""


class RunTrace:
    """The events of one run.

    Args:
        run: one of the `runs` of a page's payload.
    """

    def __init__(self, run: dict[str, Any]) -> None:
        self._facts, self._tables = run["facts"], run["tables"]
        self._peers = self.rows("peers")
        self._numbers = count(1)
        self._servings: dict[tuple[int, int, int], list[tuple[Track, Row]]] = defaultdict(list)

    def rows(self, table: str) -> list[Row]:
        """Return a table's rows."""
        columns = self._tables[table]["columns"]
        cells = zip(*columns.values(), strict=True)
        return [dict(zip(columns, row, strict=True)) for row in cells]

    def events(self) -> Iterator[Event]:
        """Yield all events; what names a track comes before what stands on it."""
        yield from self._names()
        yield from self._phases()
        yield from self._served()
        yield from self._pulls()
        yield from self._masks()
        yield from self._hosts()
        yield from self._faults()
        yield from self._notes()
        yield from self._accuracy()
        yield from self._resources()

    def _names(self) -> Iterator[Event]:
        yield from process_name(NETWORK, f"network: {self._facts['name']}")
        yield from track_name(Track.of(NETWORK, 0), "events")
        yield from process_name(PHASES, "phases of peers")
        for row in self._peers:
            group = "" if row["group"] in (None, -1) else f", data group {row['group']}"
            profile = f", {row['profile']}" if row["profile"] else ""
            host = f", {row['host']}" if row["host"] else ""
            yield from track_name(phases_of(row["peer"]), f"{row['id']}{group}{profile}{host}")
            yield from process_name(of_peer(row["peer"]), f"{row['id']}: transfers")

    def _phases(self) -> Iterator[Event]:
        names = self._facts["phases"]
        for row in self.rows("spans"):
            track = phases_of(row["peer"])
            arguments = {"round": row["round"]}
            times = row["begin_s"], row["end_s"]
            yield slice_of(track, names[row["phase"]], "phase", *times, arguments)

    def _served(self) -> Iterator[Event]:
        for peer, rows in _by("peer", self.rows("servings")):
            rows.sort(key=lambda row: (row["begin_s"], row["end_s"]))
            dealt = lanes((row["begin_s"], row["end_s"]) for row in rows)
            tracks = [Track.of(of_peer(peer), FIRST_SERVING + lane) for lane in dealt]
            for lane in sorted(set(dealt)):
                track = Track.of(of_peer(peer), FIRST_SERVING + lane)
                yield from track_name(track, f"serves {lane}")
            for track, row in zip(tracks, rows, strict=True):
                self._servings[peer, row["to"], row["round"]].append((track, row))
                kept = {key: row[key] for key in ("round", "n_bytes", "queued_s", "outcome")}
                name, times = f"to {self._id(row['to'])}", (row["begin_s"], row["end_s"])
                yield slice_of(track, name, "serving", *times, kept)

    def _pulls(self) -> Iterator[Event]:
        named: set[Track] = set()
        for row in self.rows("pulls"):
            track = Track.of(of_peer(row["peer"]), FIRST_PULL + row["lane"])
            if track not in named:
                named.add(track)
                yield from track_name(track, f"pulls {row['lane']}")
            kept = {key: row[key] for key in ("round", "n_bytes", "fetched_bytes", "outcome")}
            arguments = {**kept, **({"reason": row["reason"]} if row["reason"] else {})}
            name, times = f"from {self._id(row['donor'])}", (row["began_s"], row["end_s"])
            yield slice_of(track, name, "pull", *times, arguments)
            yield from self._weights(track, row)

    def _weights(self, track: Track, pull: Row) -> Iterator[Event]:
        """Yield the arrow from what the donor served to the pull that got it, if both are known."""
        if pull["outcome"] == "failed":
            return
        served = self._servings.get((pull["donor"], pull["peer"], pull["round"]), [])
        for donor_track, row in served:
            if row["begin_s"] <= pull["end_s"] and pull["began_s"] <= row["end_s"]:
                end_s = max(pull["began_s"], pull["end_s"] - _WITHIN_S)
                begin = donor_track, row["begin_s"]
                yield from arrow(next(self._numbers), "weights", begin, (track, end_s))
                return

    def _masks(self) -> Iterator[Event]:
        """Yield an arrow from each announcement to each arrival, where arrivals are not rolled up.

        An arrival has whole milliseconds; it is drawn no earlier than the announcement.
        """
        announced = self._announcements()
        neighbors = self._neighbors()
        for row in self.rows("arrivals"):
            offsets, t0_s = row["offsets"], self._first_of(row)
            if not offsets or t0_s is None:
                continue
            track = phases_of(row["peer"])
            for sender, ms in zip(neighbors[row["peer"]], offsets, strict=False):
                begin_s = announced.get((sender, row["round"]))
                if ms is not None and begin_s is not None:
                    begin = phases_of(sender), begin_s
                    end = track, t0_s + ms / 1000
                    yield from arrow(next(self._numbers), "mask", begin, end)

    def _announcements(self) -> dict[tuple[int, int], float]:
        """Return (peer, round) -> when it began to announce its mask."""
        phase = self._facts["phases"].index("announcing")
        found: dict[tuple[int, int], float] = {}
        for row in self.rows("spans"):
            if row["phase"] == phase:
                key = row["peer"], row["round"]
                found[key] = min(row["begin_s"], found.get(key, row["begin_s"]))
        return found

    def _neighbors(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = defaultdict(list)
        for row in self.rows("links"):
            found[row["sender"]].append(row["receiver"])
        return {peer: sorted(others) for peer, others in found.items()}

    @staticmethod
    def _first_of(row: Row) -> float | None:
        """Return the time from which the offsets count: the first arrival is the smallest."""
        known = [ms for ms in row["offsets"] or () if ms is not None]
        return row["first_s"] - min(known) / 1000 if known and row["first_s"] is not None else None

    def _hosts(self) -> Iterator[Event]:
        """Yield a track a host: where it is, whose peers it has, and until when it was there.

        That it was lost is a note, too.
        """
        for place, row in enumerate(self.rows("hosts")):
            track = Track.of(NETWORK, FIRST_HOST + place)
            yield from track_name(track, f"host {row['host']}")
            told = {key: row[key] for key in ("node", "address", "clock_bound_s", "reason")}
            told["peers"] = ", ".join(self._id(peer) for peer in row["peers"] or ())
            lost_s = row["lost_s"]
            end_s = (self._facts["now_s"] or 0.0) if lost_s is None else lost_s
            yield slice_of(track, row["host"], "host", 0.0, end_s, told)

    def _faults(self) -> Iterator[Event]:
        rows = [row for row in self.rows("faults") if row["applied_s"] is not None]
        rows.sort(key=lambda row: row["applied_s"])
        end_s = self._facts["now_s"] or 0.0
        ends = [row["healed_s"] if row["healed_s"] is not None else end_s for row in rows]
        times = [
            (row["applied_s"], max(row["applied_s"], at))
            for row, at in zip(rows, ends, strict=True)
        ]
        dealt = lanes(times)
        for lane in sorted(set(dealt)):
            yield from track_name(Track.of(NETWORK, 1 + lane), f"faults {lane}")
        for row, (begin_s, stop_s), lane in zip(rows, times, dealt, strict=True):
            peers = ", ".join(self._id(peer) for peer in row["peers"] or ())
            told = {"peers": peers, "verdict": row["verdict"], "evidence": row["evidence"]}
            name = f"{row['occurrence']} ({row['kind']})"
            yield slice_of(Track.of(NETWORK, 1 + lane), name, "fault", begin_s, stop_s, told)
            for moment in ("applied", "verified", "healed"):
                if (at_s := row[f"{moment}_s"]) is not None:
                    text = f"{moment}: {row['occurrence']}"
                    yield instant(Track.of(NETWORK, 0), text, "fault", at_s, told)

    def _notes(self) -> Iterator[Event]:
        for row in self.rows("notes"):
            track = phases_of(row["peer"]) if row["peer"] >= 0 else Track.of(NETWORK, 0)
            yield instant(track, row["text"], "note", row["at_s"], {})

    def _accuracy(self) -> Iterator[Event]:
        """Yield a counter a peer, of the round's last model; and the mean of what is known."""
        latest: dict[int, float] = {}
        rows = [row for row in self.rows("accuracy") if row["t_s"] is not None]
        for row in sorted(rows, key=lambda row: row["t_s"]):
            if row["test"] is None or row["moment"] != AGGREGATED:
                continue
            latest[row["peer"]] = row["test"]
            yield counter(of_peer(row["peer"]), "test accuracy", row["t_s"], row["test"])
            mean = round(fmean(latest.values()), 6)
            yield counter(NETWORK, "test accuracy, mean of peers", row["t_s"], mean)

    def _resources(self) -> Iterator[Event]:
        sent: dict[int, int] = {}
        rows = [row for row in self.rows("resources") if row["t_s"] is not None]
        for row in sorted(rows, key=lambda row: row["t_s"]):
            process, at_s = of_peer(row["peer"]), row["t_s"]
            if row["sent_bytes"] is not None:
                sent[row["peer"]] = row["sent_bytes"]
                yield counter(process, "sent, MiB", at_s, round(row["sent_bytes"] / MIB, 6))
                total = round(sum(sent.values()) / MIB, 6)
                yield counter(NETWORK, "sent by all peers, MiB", at_s, total)
            if row["memory_mib"] is not None:
                yield counter(process, "memory, MiB", at_s, row["memory_mib"])

    def _id(self, peer: int) -> str:
        return str(self._peers[peer]["id"]) if 0 <= peer < len(self._peers) else "?"


def _by(column: str, rows: list[Row]) -> list[tuple[int, list[Row]]]:
    found: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        found[row[column]].append(row)
    return sorted(found.items())
