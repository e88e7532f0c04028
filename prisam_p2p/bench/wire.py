"""The speed of the wire: our code beside a reference, each a ratio measured in one run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from prisam_p2p.bench.compare import OTHERS, compare
from prisam_p2p.bench.mask_rate import mask_rates
from prisam_p2p.bench.metering import metering
from prisam_p2p.bench.pull import pull_speed
from prisam_p2p.bench.secured import secured_pull
from prisam_p2p.core.bits import packed_size
from prisam_p2p.learn.models import Architecture
from prisam_p2p.learn.structure import layout_of

_MASK_ROUNDS, _METERED_ROUNDS = 50, 12


@dataclass(frozen=True)
class WireRow:
    """One figure of ours beside its reference; `aim` is the ratio that we want."""

    what: str
    ours: float
    beside: float
    unit: str
    ratio: float
    aim: str


def wire_speed(model: str, classes: int, repeats: int, topology: Path) -> list[WireRow]:
    """Measure every figure, one after the other."""
    layout = layout_of(Architecture(model, 1.0, classes, (3, 32, 32)))
    pull = pull_speed(model, classes, repeats)
    what = f"pull of {pull.n_bytes / 1e6:.1f} MB beside raw TCP"
    rows = [WireRow(what, pull.ours_mb_s, pull.raw_mb_s, "MB/s", pull.ratio, ">= 0.9")]
    secured = secured_pull(model, classes, repeats)
    mb = secured.n_bytes / 1e6
    ours, beside = mb / secured.curve_s, mb / secured.plain_s
    rows.append(WireRow("the same, curve beside plain", ours, beside, "MB/s", ours / beside, "-"))
    ours, beside = secured.curve_cpu_s, secured.plain_cpu_s
    rows.append(WireRow("CPU of the same", ours, beside, "s CPU", ours / beside, "-"))
    for rate in mask_rates(layout.n_bits, _MASK_ROUNDS, repeats):
        what = f"masks ({rate.masks}) beside bare pyzmq"
        rows.append(WireRow(what, rate.ours_per_s, rate.bare_per_s, "1/s", rate.ratio, ">= 0.25"))
    parameters = layout.n_parameters(layout.full_mask())
    compared = compare(packed_size(layout.n_bits), parameters, repeats)
    what = f"cosine of weights beside masks, {OTHERS} peers"
    cosine_ms, masks_ms = 1000 * compared.cosine_s, 1000 * compared.masks_s
    rows.append(WireRow(what, cosine_ms, masks_ms, "ms CPU", compared.ratio, ">= 10,000"))
    metered = metering(topology, _METERED_ROUNDS)
    own_s = metered.share * metered.run_cpu_s
    what = f"metering, as a share of {topology.stem}"
    rows.append(WireRow(what, own_s, metered.run_cpu_s, "s CPU", metered.share, "< 0.01"))
    return rows
