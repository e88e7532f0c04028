"""Topologies made of graphs: what the file says, and what is refused as it is made."""

import networkx as nx
import numpy as np
import pytest

import prisam_p2p as pp
from prisam_p2p.plan.topology import load_topology
from prisam_p2p.python_api.toml_text import toml_text

KILL = {"id": "gone", "kind": "kill", "peers": ["p01"], "at": {"round": 1, "phase": "train"}}


@pytest.fixture
def loaded(tmp_path):
    """Return what loads a network as a run does."""

    def load(made):
        path = tmp_path / f"{made.name}.toml"
        path.write_text(made.toml)
        return load_topology(path)

    return load


def test_numbered_nodes_become_peers_in_the_graphs_order(loaded):
    made = pp.topology(nx.cycle_graph(12), profiles=["laptop", "raspberry-pi-4"], name="wheel")
    assert made.peers[11] == "p11"
    found = loaded(made)
    assert found.name == "wheel"
    assert found.peer_ids == tuple(f"p{i:02d}" for i in range(12))
    assert sorted(found.graph.neighbors("p00")) == ["p01", "p11"]
    assert [found.profiles[p].name for p in ("p00", "p01")] == ["laptop", "raspberry-pi-4"]


def test_attributes_of_nodes_and_edges_are_kept(loaded, tmp_path, monkeypatch):
    graph = nx.Graph()
    graph.add_edge("hub", "left", delay_ms=20, rate_mbit_s=np.float64(8.5), color="red")
    graph.add_edge("hub", "right", loss=np.float32(0.5))
    graph.nodes["right"]["profile"] = "./slow.toml"
    (tmp_path / "slow.toml").write_text('description = "slow"\nsource = "test"\nspeed = 0.1\n')
    monkeypatch.chdir(tmp_path)
    found = loaded(pp.topology(graph, profiles={"laptop": 2, "phone-midrange": 1}))
    assert found.links[("left", "hub")].delay_ms == 20
    assert found.links[("hub", "left")].rate_mbit_s == 8.5
    assert found.links[("hub", "right")].loss == 0.5
    assert found.profiles["right"].speed == 0.1
    assert found.profiles["hub"].name == "laptop"


def test_hosts_are_the_table_of_that_name(loaded):
    made = pp.topology(nx.cycle_graph(3), hosts={"count": 2, "peers": {"p00": ["h1", "h2"]}})
    assert loaded(made).hosts.count == 2
    assert loaded(made).hosts.peers == {"p00": ["h1", "h2"]}
    assert "[hosts]" not in pp.topology(nx.cycle_graph(3)).toml


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: pp.topology(nx.DiGraph([(0, 1)])), "(DiGraph): expected an undirected"),
        (lambda: pp.topology(nx.empty_graph(3)), "a connected graph"),
        (lambda: pp.topology(nx.cycle_graph(3), profiles=["laptp"]), "the nearest is laptop"),
        (lambda: pp.topology(nx.cycle_graph(3), profiles={"laptop": 2}), "add up to the 3 peers"),
        (lambda: pp.topology(nx.cycle_graph(3), hosts={"cuont": 2}), "the nearest is count"),
        (lambda: pp.topology(nx.cycle_graph(3), name="a/b"), "a name that a file can have"),
        (
            lambda: pp.topology(nx.cycle_graph(3), faults=[{**KILL, "kind": "kil"}]),
            "faults: fault[0].kind = 'kil'",
        ),
    ],
)
def test_what_cannot_run_is_refused_as_it_is_made(make, said):
    with pytest.raises(pp.ConfigError) as caught:
        make()
    assert said in str(caught.value)
    assert ".toml" not in str(caught.value)  # the file that is written of it


def test_faults_are_a_scenario():
    made = pp.topology(nx.cycle_graph(3), faults=[KILL])
    assert '[[fault]]\nid = "gone"' in made.faults_toml
    assert 'at = { round = 1, phase = "train" }' in made.faults_toml
    assert pp.topology(nx.cycle_graph(3)).faults_toml is None


def test_toml_is_read_back_as_it_was():
    import tomllib

    tables = {
        "text": 'quotes " and\nnewlines, µ, \x7f',
        "numbers": [1, -2.5, 1e300],
        "flags": {"yes": True, "a key": False},
        "list": [{"inner": {"deep": [["a", "b"]]}}, {}],
    }
    assert tomllib.loads(toml_text(tables)) == tables
    with pytest.raises(TypeError, match="no value of TOML"):
        toml_text({"none": None})
