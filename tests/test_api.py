"""prisam_p2p.api: what users' code may import is what our own baselines are made of."""

import ast
import re
from pathlib import Path

import pytest

from prisam_p2p import api
from prisam_p2p.algorithms import Algorithm, Traits
from prisam_p2p.peer.baselines import LOOPS
from prisam_p2p.peer.peer import Peer as AnyPeer

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "prisam_p2p"
MODULES = [PACKAGE / "peer" / "loop.py", *(PACKAGE / "peer" / "baselines").glob("[a-z]*.py")]


def imported(tree):
    """Names that a module imports from this package."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("prisam_p2p"):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_baseline_imports_what_the_api_offers(path):
    offered = {*api.__all__, "BaselinePeer"}  # the api calls it Peer
    assert set(imported(ast.parse(path.read_text()))) <= offered


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_baseline_takes_public_steps_only(path):
    tree = ast.parse(path.read_text())
    of_me = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        if node.value.id in ("me", "BaselinePeer")
    }
    assert of_me
    assert [name for name in of_me if name.startswith("_") or name == "spec"] == []
    known = set(dir(api.Peer)) | set(
        re.findall(r"self\.(\w+)", (PACKAGE / "peer/peer.py").read_text())
    )
    assert of_me <= known


def test_all_eleven_are_among_them():
    homes = {loop.__module__.rpartition(".")[2] for loop in LOOPS.values()}
    assert len(LOOPS) == len(Algorithm) == 12
    assert homes <= {path.stem for path in MODULES}


def test_the_api_offers_what_it_lists_and_every_name_is_documented():
    for name in api.__all__:
        assert getattr(getattr(api, name), "__doc__", None), name
    assert issubclass(api.Peer, AnyPeer)


def test_a_decorated_function_has_traits():
    @api.algorithm(Traits(dense=True))
    def rounds(me): ...

    assert rounds.traits == Traits(dense=True)
    assert rounds(None) is None


def test_every_step_that_the_page_names_is_there():
    page = (ROOT / "docs" / "extending.md").read_text()
    steps = set(re.findall(r"`me\.(\w+)", page))
    assert len(steps) > 15
    attributes = {"spec", "settings", "peer_id"}
    assert [name for name in steps - attributes if not hasattr(api.Peer, name)] == []


def test_every_trait_is_documented():
    page = (ROOT / "docs" / "extending.md").read_text()
    for name in Traits.__dataclass_fields__:
        assert f"| `{name}` |" in page
