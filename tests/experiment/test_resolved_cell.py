import json

from hand_cells import cell

from prisam_p2p.experiment.cells import Cell
from prisam_p2p.experiment.resolved_cell import difference, resolve
from prisam_p2p.shipped import TOPOLOGIES


def test_the_identity_covers_the_links():
    was, now = resolve(cell()).identity, resolve(cell())
    star = resolve(Cell("cell", {}, TOPOLOGIES / "star-9.toml", None, now.cell.settings))
    assert difference(was, now.identity) is None
    assert difference(json.loads(json.dumps(was)), now.identity) is None
    other = {**was, "links": star.identity["links"]}
    assert difference(other, now.identity) == "its links have changed"


def test_a_setting_that_an_earlier_version_lacked_counts_as_its_default():
    now = resolve(cell()).identity
    older = {key: v for key, v in now["settings"].items() if key != "gamma_l1"}
    assert difference({**now, "settings": older}, now) is None
    later = {**now, "settings": {**now["settings"], "gamma_l1": 0.1}}
    assert difference({**now, "settings": older}, later) == "gamma_l1 was 0.0, now 0.1"
