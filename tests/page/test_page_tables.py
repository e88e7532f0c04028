"""The shapes of a page's tables, as Python, the page's scripts and the documentation have them."""

import json
import re
from pathlib import Path

import pytest
from big_run import BigRun, write_big_run

import prisam_p2p as pp
from prisam_p2p.measure.traffic import KINDS
from prisam_p2p.page import palette
from prisam_p2p.page.data.plan_facts import plan_facts
from prisam_p2p.page.data.rollups import rollups
from prisam_p2p.page.data.shared import Shared
from prisam_p2p.page.data.tables import TABLES, CellKind
from prisam_p2p.page.data.tiles import running_tiles
from prisam_p2p.page.data.timeline import OTHER, PHASES

ROOT = Path(__file__).parents[2]
ASSETS = ROOT / "prisam_p2p" / "page" / "assets"


def test_the_page_s_store_has_the_same_keys():
    text = (ASSETS / "js" / "store.js").read_text()
    block = re.search(r"const KEYS = \{(.*?)\};", text, re.DOTALL)[1]
    found = {
        name: tuple(re.findall(r'"(\w+)"', keys))
        for name, keys in re.findall(r"(\w+): \[(.*?)\]", block)
    }
    assert found == {name: table.keys for name, table in TABLES.items()}


def test_keys_are_the_first_columns():
    for name, table in TABLES.items():
        assert tuple(table.columns)[: len(table.keys)] == table.keys, name


def test_every_column_is_documented():
    text = (ROOT / "docs" / "page-data.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.MULTILINE))
    assert rows.keys() == TABLES.keys()
    for name, table in TABLES.items():
        assert tuple(re.findall(r"\*\*(\w+)\*\*", rows[name])) == table.keys
        named = re.findall(r"`(\w+)`", rows[name])
        assert [c for c in table.columns if c not in named and c not in table.keys] == [], name


def plan_of(**more):
    return plan_facts(json.loads((more.pop("folder") / "plan.json").read_text()))


def test_a_run_of_usual_size_is_whole(tmp_path):
    folder = write_big_run(tmp_path / "run", BigRun(peers=12, rounds=12, degree=None, groups=3))
    found = rollups(plan_of(folder=folder))
    assert found.sentences == ()
    assert found.labels
    assert found.offsets
    assert {found.pulls.step, found.servings.step, found.groups.step, found.masks.step} == {1}


def test_a_full_graph_of_200_is_bounded_and_says_so(tmp_path):
    folder = write_big_run(tmp_path / "run", BigRun(peers=200, degree=None, recorded=0))
    found = rollups(plan_of(folder=folder))
    pulls = 200 * 100 * 50
    assert pulls / found.pulls.step < 70_000
    assert not found.labels
    assert not found.offsets
    assert any("pulls are shown of one round in" in sentence for sentence in found.sentences)
    assert found.pulls.keeps(0)
    assert found.pulls.keeps(99)
    assert not found.pulls.keeps(1)


def test_tiles_lead_to_views_that_there_are(tmp_path):
    folder = write_big_run(tmp_path / "run", BigRun(peers=4, rounds=1, degree=None))
    tiles = running_tiles(Shared(plan_of(folder=folder)), None)
    sources = "\n".join(path.read_text() for path in (ASSETS / "views").glob("*.js"))
    views = {*re.findall(r'prisam\.view\(\{\s*id: "(\w+)"', sources)}
    assert {view for *_, view in tiles} <= views


def test_every_phase_and_kind_has_a_colour():
    assert {*PHASES} - {OTHER} <= {*palette.PHASES}
    assert {*KINDS} == {*palette.KINDS}


def test_no_two_phases_look_the_same():
    theme = (ASSETS / "js" / "theme.js").read_text()
    decals = len(
        re.findall(r"\bsymbol: ", re.search(r"const DECALS = \[(.*?)\];", theme, re.DOTALL)[1])
    )
    looks = {(colour, i % decals) for i, colour in enumerate(palette.PHASES.values())}
    assert decals > 1
    assert len(looks) == len(palette.PHASES)


def test_a_generated_run_is_the_same_again(tmp_path):
    one, other = (
        write_big_run(tmp_path / name, BigRun(peers=5, rounds=2, degree=None)) for name in "ab"
    )
    files = [path.relative_to(one) for path in one.rglob("*") if path.is_file()]
    assert len(files) == 8
    assert all((one / name).read_bytes() == (other / name).read_bytes() for name in files)


def test_python_has_the_tables_with_peers_by_their_ids(tmp_path):
    run = pp.load_run(write_big_run(tmp_path / "run", BigRun(4, 2, None, groups=2)))
    accuracy = run.table("accuracy")
    assert len(accuracy) == 4 * 2 * 2
    assert accuracy.rows[0]["peer"] == "p000"
    assert list(accuracy.columns) == list(TABLES["accuracy"].columns)
    assert run.table("groups").rows[0]["members"] == ["p000", "p002"]
    assert {row["peer"] for row in run.table("notes")} == {None}
    assert run.page_data()["runs"][0]["facts"]["peers"] == 4
    assert TABLES["groups"].columns["members"] is CellKind.PEERS


def test_python_names_a_table_that_there_is_not(tmp_path):
    run = pp.load_run(write_big_run(tmp_path / "run", BigRun(4, 1, None)))
    with pytest.raises(pp.ConfigError, match="accuracy"):
        run.table("acuracy")
