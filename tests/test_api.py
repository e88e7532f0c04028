"""prisam_p2p.api: what users' code may import is what our own baselines are made of."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest

from prisam_p2p import api
from prisam_p2p.algorithms import Algorithm, Traits
from prisam_p2p.core.bits import PackedMask
from prisam_p2p.extensions.loading import load
from prisam_p2p.extensions.reference import CodeKind
from prisam_p2p.learn.dataset_code import dataset_from_code
from prisam_p2p.learn.models import Architecture
from prisam_p2p.learn.split_code import split_from_code
from prisam_p2p.learn.structure import layout_of
from prisam_p2p.peer.baselines import LOOPS
from prisam_p2p.peer.own_grouping import own_groups
from prisam_p2p.peer.peer import Peer as AnyPeer

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "extending.md").read_text()
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
        re.findall(r"self\.(\w+)", (PACKAGE / "peer/peer_base.py").read_text())
    )
    assert of_me <= known


def test_all_seventeen_are_among_them():
    homes = {loop.__module__.rpartition(".")[2] for loop in LOOPS.values()}
    assert len(LOOPS) == len(Algorithm) == 18
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
    steps = set(re.findall(r"`me\.(\w+)", PAGE))
    assert len(steps) > 15
    attributes = {"spec", "settings", "peer_id", "memory", "layout"}
    assert [name for name in steps - attributes if not hasattr(api.Peer, name)] == []


def test_every_name_of_the_api_is_on_the_page():
    assert [name for name in api.__all__ if not re.search(rf"\b{name}\b", PAGE)] == []


def test_every_trait_is_documented():
    for name in Traits.__dataclass_fields__:
        assert f"| `{name}` |" in PAGE


BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def of_the_page(tmp_path):
    """Return what loads a function that a block of the page defines."""

    def function(kind, name):
        (block,) = [each for each in BLOCKS if f"def {name}(" in each]
        path = tmp_path / "mine.py"
        path.write_text(block)
        return load(kind, f"{path}:{name}", f"--{kind}").value

    return function


def test_every_block_of_the_page_is_tried():
    names = {name for block in BLOCKS for name in re.findall(r"^def (\w+)", block, re.MULTILINE)}
    assert names == {"gossip", "net", "two_moons", "halves", "alike"}  # gossip: tests/network


def test_model_and_data_set_of_the_page_fit_each_other(of_the_page):
    data = dataset_from_code(of_the_page(CodeKind.DATASET, "two_moons"), "x", None)
    assert (data.image_shape, data.n_classes, len(data.test_labels)) == ((2,), 2, 300)
    net = of_the_page(CodeKind.MODEL, "net")
    like = (data.n_classes, data.image_shape, data.dtype)
    assert layout_of(Architecture("x", 0.5, *like, net)).n_bits == 16


def test_the_split_of_the_page_makes_two_groups(of_the_page):
    labels = np.arange(200) % 10
    split = of_the_page(CodeKind.SPLIT, "halves")
    peers, rng = ("a", "b", "c", "d"), np.random.default_rng(0)
    found = split_from_code(split, "x", peers, labels, labels, 10, 9, rng)
    assert [data.group for data in found.values()] == [0, 1, 0, 1]
    assert set(labels[found["c"].train]) == {0, 1, 2, 3, 4}
    assert len({*found["a"].train} & {*found["c"].train}) == 0


def test_the_grouping_of_the_page_keeps_who_is_alike(of_the_page):
    bits = np.arange(40) % 2 == 0
    masks = {"a": bits, "b": bits.copy(), "c": ~bits}
    masks["b"][0] ^= True
    packed = {peer: PackedMask.pack(mask) for peer, mask in masks.items()}
    alike = of_the_page(CodeKind.GROUPING, "alike")
    assert own_groups(alike, "x", packed, "a", 2, (0, 0)).of("a") == ("a", "b")
