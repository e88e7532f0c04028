"""The baselines: functions of the same steps as PRISAM, on the same wire.

docs/baselines.md says how each was made comparable, and where it departs from its source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prisam_p2p.algorithms import Algorithm
from prisam_p2p.peer import loop
from prisam_p2p.peer.baseline_peer import BaselinePeer
from prisam_p2p.peer.baselines import (
    dac,
    dense,
    dis_pfl_erk,
    ditto,
    exact_similarity,
    fedrep,
    local,
    own_choice,
    pens,
    pruned,
)

LOOPS: Mapping[Algorithm, Callable[[BaselinePeer], None]] = {
    Algorithm.PRISAM: loop.prisam,
    Algorithm.PRISAM_RANDOM: pruned.prisam_random,
    Algorithm.LOCAL: local.local,
    Algorithm.FEDAVG_RANDOM: dense.fedavg_random,
    Algorithm.DIS_PFL: pruned.dis_pfl,
    Algorithm.DIS_PFL_ERK: dis_pfl_erk.dis_pfl_erk,
    Algorithm.ORACLE: dense.oracle,
    Algorithm.ORACLE_PRUNED: dense.oracle_pruned,
    Algorithm.EXACT_SIMILARITY: exact_similarity.exact_similarity,
    Algorithm.D_PSGD: dense.d_psgd,
    Algorithm.D_PSGD_FT: dense.d_psgd_ft,
    Algorithm.FEDAVG_FT: dense.fedavg_ft,
    Algorithm.FEDREP: fedrep.fedrep,
    Algorithm.DITTO: ditto.ditto,
    Algorithm.IFCA: own_choice.ifca,
    Algorithm.FACADE: own_choice.facade,
    Algorithm.DAC: dac.dac,
    Algorithm.PENS: pens.pens,
}
