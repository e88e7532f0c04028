"""What finding similar peers costs on the wire, against sending a dense model once.

Two peers, each its own process, train for real and announce their masks over real TCP; what each
mask cost is read off the run's ledger. A dense model is pulled between two processes for the
other side of the ratio. Both sides count payload, our headers, ZMTP framing, segment headers and
ACKs (docs/ledger.md).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from prisam_p2p.bench.digit_pairs import write_digit_pairs
from prisam_p2p.bench.pull import pull_wire_bytes
from prisam_p2p.launch.launch import launch
from prisam_p2p.measure.traffic import MASK
from prisam_p2p.report.closure import closure
from prisam_p2p.report.ledger import Ledger, make_ledger
from prisam_p2p.report.run_folder import RunFolder

STEADY_FROM = 5
"""Rounds from this one on are the steady state; regrowth rounds are among them."""

_TOPOLOGY = """\
[peers]
count = 2
profiles = [{profiles}]

[links]
generator = "full"

[run]
rounds = {rounds}
dataset = "{dataset}"
split = "iid"
model = "{model}"
clusters = 1
images_per_peer = {images}
test_images_per_peer = 50
evaluate_every = {rounds}
seed = {seed}
"""

_PROFILE = """\
description = "a core of this host"
source = "nothing is throttled"
prune_ratio = {ratio}
"""


@dataclass(frozen=True)
class Discovery:
    """Ratios, and what they are made of; bytes.

    Attributes:
        payload_ratio: 4 bytes a parameter of the dense model, against a bit-packed mask.
        wire_ratio_first, wire_ratio_steady: one pull of the dense model against one mask message
            of round 0, and against the mean one of rounds 5 on.
        wire_ratio_all_in: the same against all that the control connections carried, opening,
            heartbeats and ACKs included, divided by the masks sent in all rounds.
        mask_wire: mean wire bytes of a mask message, by round.
    """

    payload_ratio: float
    wire_ratio_first: float
    wire_ratio_steady: float
    wire_ratio_all_in: float
    model_bytes: int
    mask_bytes: int
    pull_payload: int
    pull_wire: int
    mask_payload: list[float]
    mask_wire: list[float]
    unexplained_bytes: int
    source: str

    def lines(self) -> list[tuple[str, object]]:
        """Return the figures but those by round, named for people."""
        return [
            ("payload ratio: dense model / bit-packed mask", self.payload_ratio),
            ("wire ratio, first mask", self.wire_ratio_first),
            ("wire ratio, steady state (rounds 5 on)", self.wire_ratio_steady),
            ("wire ratio, all of the control connections", self.wire_ratio_all_in),
            ("dense model, 4 B a parameter", self.model_bytes),
            ("bit-packed mask", self.mask_bytes),
            ("dense model pulled, payload with BN statistics", self.pull_payload),
            ("dense model pulled, on the wire", self.pull_wire),
            ("unexplained bytes", self.unexplained_bytes),
            ("source", self.source),
        ]


def discovery(
    *,
    model: str,
    rounds: int,
    prune_ratios: tuple[float, float],
    images: int,
    seed: int,
    dataset: Path | None,
    progress: Callable[[str], None],
) -> Discovery:
    """Train two peers, announce for real, and compare."""
    with tempfile.TemporaryDirectory(prefix="prisam-bench-") as folder:
        progress(f"two peers train {model} for {rounds} rounds")
        data = dataset or _digit_pairs(Path(folder))
        values = {"model": model, "images": images, "seed": seed, "dataset": data.resolve()}
        run = _train(Path(folder), prune_ratios, rounds, **values)
        ledger, plan = make_ledger(run), run.plan["model"]
        progress("pulling the dense model once")
        pull_payload, pull_wire = pull_wire_bytes(model, plan["n_classes"])
    payload, wire = _mask_means(ledger, rounds)
    steady = wire[STEADY_FROM:] or wire[-1:]
    model_bytes, mask_bytes = 4 * plan["parameters"], -(-plan["mask_bits"] // 8)
    return Discovery(
        payload_ratio=model_bytes / mask_bytes,
        wire_ratio_first=pull_wire / wire[0],
        wire_ratio_steady=pull_wire * len(steady) / sum(steady),
        wire_ratio_all_in=pull_wire / _control_wire_per_mask(ledger),
        model_bytes=model_bytes,
        mask_bytes=mask_bytes,
        pull_payload=pull_payload,
        pull_wire=pull_wire,
        mask_payload=payload,
        mask_wire=wire,
        unexplained_bytes=closure(ledger)["unexplained_bytes"],
        source=next(row.source for row in ledger.rows if row.kind == MASK),
    )


def _train(
    folder: Path, prune_ratios: tuple[float, float], rounds: int, **values: object
) -> RunFolder:
    """Run the network of two peers, which differ in their prune ratio, and return its folder."""
    names = [f"device-{i}" for i in range(len(prune_ratios))]
    for name, ratio in zip(names, prune_ratios, strict=True):
        (folder / f"{name}.toml").write_text(_PROFILE.format(ratio=ratio))
    topology = folder / "two.toml"
    profiles = ", ".join(f'"{name}.toml"' for name in names)
    values |= {"profiles": profiles, "rounds": rounds}
    topology.write_text(_TOPOLOGY.format(**values))
    run_dir = folder / "run"
    launch(topology, {}, run_dir, folder, "", True, lambda _folder: None)
    return RunFolder(run_dir)


def _digit_pairs(folder: Path) -> Path:
    path = folder / "digit-pairs.npz"
    write_digit_pairs(path, 4000, 2000)
    return path


def _mask_means(ledger: Ledger, rounds: int) -> tuple[list[float], list[float]]:
    """Return the mean payload and wire bytes of a mask message of each round."""
    payload, wire = [], []
    for t in range(rounds):
        rows = [row for row in ledger.rows if row.kind == MASK and row.round == t]
        n = sum(row.messages for row in rows)
        payload.append(sum(row.payload for row in rows) / n)
        wire.append(sum(row.wire for row in rows) / n)
    return payload, wire


def _control_wire_per_mask(ledger: Ledger) -> float:
    control = [e.cost.bytes for c, e in ledger.entries if c.channel == "control"]
    masks = sum(row.messages for row in ledger.rows if row.kind == MASK)
    return sum(control) / masks
