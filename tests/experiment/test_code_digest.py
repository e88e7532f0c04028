"""The digest of the code that can change a cell's result."""

from pathlib import Path

from hand_cells import ENDING, cell

import prisam_p2p
from prisam_p2p.experiment.cell_folder import CellFolder
from prisam_p2p.experiment.code_digest import (
    AFFECTS,
    SHOWS_ONLY,
    digest_of,
    other_code,
    present_code,
)
from prisam_p2p.experiment.resolved_cell import resolve

VERSIONS = {"torch": "1"}


def test_every_room_and_module_is_listed_once():
    package = Path(prisam_p2p.__file__).parent
    there = {p.name for p in package.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert there == AFFECTS | SHOWS_ONLY
    assert not AFFECTS & SHOWS_ONLY


def test_the_digest_follows_code_that_affects_results_and_versions(tmp_path):
    for name in ("core", "page"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.py").write_text("1")
    for name in AFFECTS:
        if name.endswith(".py"):
            (tmp_path / name).write_text("")
    first = digest_of(tmp_path, VERSIONS)
    (tmp_path / "page" / "a.py").write_text("2")
    assert digest_of(tmp_path, VERSIONS) == first
    assert digest_of(tmp_path, {"torch": "2"}) != first
    (tmp_path / "core" / "a.py").write_text("2")
    assert digest_of(tmp_path, VERSIONS) != first


def test_a_cell_of_other_code_is_told_and_one_of_this_code_is_not(tmp_path):
    one, folder = resolve(cell()), CellFolder(tmp_path / "cell")
    folder.begin(one)
    folder.end(one, ENDING, keep_models=True)
    assert folder.digests() == [present_code()]
    assert other_code(folder.digests(), present_code()) is None
    assert "(aa and bb) than the present (cc)" in (other_code(["aa", "bb"], "cc") or "")
    assert "an earlier version" in (other_code([], "cc") or "")
