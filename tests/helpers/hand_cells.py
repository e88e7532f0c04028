"""A cell of an experiment, and how its run ended."""

from prisam_p2p.experiment.cell_folder import CellEnding
from prisam_p2p.experiment.cells import Cell
from prisam_p2p.shipped import TOPOLOGIES

ENDING = CellEnding("kind", 0, 3.5, 100.0)
RING = TOPOLOGIES / "ring-8.toml"


def cell(**settings):
    return Cell("cell", {"seed": 0}, RING, None, {"rounds": 2, **settings})
