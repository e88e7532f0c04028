from pathlib import Path

import networkx as nx
import pytest

from prisam_p2p.algorithms import Algorithm
from prisam_p2p.errors import ConfigError
from prisam_p2p.plan.link_properties import LinkState, properties_by_name, states_from_names
from prisam_p2p.plan.topology import load_topology, resolve_settings
from prisam_p2p.settings import RunSettings

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "topologies").glob("*.toml"))
FOUR = '[peers]\ncount = 4\nprofiles = ["laptop"]\n'
NAMED = '[peers]\nids = ["bob", "alice", "eve"]\nprofiles = ["laptop"]\n'
FULL = '[links]\ngenerator = "full"\n'


def load(tmp_path, text):
    path = tmp_path / "net.toml"
    path.write_text(text)
    return load_topology(path)


def generated(tmp_path, n, links):
    return load(tmp_path, f'[peers]\ncount = {n}\nprofiles = ["laptop"]\n[links]\n{links}').graph


# --- shipped topologies ---


def test_topologies_are_shipped():
    assert len(SHIPPED) >= 8
    assert "clusters-12" in [path.stem for path in SHIPPED]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_topology_loads(path):
    topology = load_topology(path)
    assert topology.name == path.stem
    assert topology.description
    assert int(path.stem.rsplit("-", 1)[1]) == len(topology.peer_ids) == len(topology.graph)
    assert list(topology.peer_ids) == sorted(topology.profiles)
    resolve_settings(topology, {})


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_group_of_a_shipped_topology_mixes_devices(path):
    topology = load_topology(path)
    groups, peers = resolve_settings(topology, {}).groups, topology.peer_ids
    assert groups <= len(peers) // 3
    for g in range(groups):
        block = peers[g * len(peers) // groups : (g + 1) * len(peers) // groups]
        budgets = {(topology.profiles[peer].macs_share, topology.profiles[peer].storage_share)
                   for peer in block}  # fmt: skip
        assert len(budgets) >= 2, f"group {g}: {budgets}"


def test_the_default_topology_is_the_one_of_the_documentation():
    topology = load_topology(ROOT / "topologies" / "clusters-12.toml")
    settings = resolve_settings(topology, {})
    assert (topology.peer_ids[0], topology.peer_ids[-1]) == ("p00", "p11")
    assert topology.graph.number_of_edges() == 12 * 11 // 2
    assert (settings.rounds, settings.groups, settings.baseline) == (12, 3, Algorithm.LOCAL)


def test_the_karate_club_is_itself():
    graph = load_topology(ROOT / "topologies" / "karate-34.toml").graph
    assert nx.is_isomorphic(graph, nx.Graph(nx.karate_club_graph().edges))


# --- peers ---


def test_peers_are_padded_by_their_number(tmp_path):
    assert load(tmp_path, FOUR + FULL).peer_ids == ("p00", "p01", "p02", "p03")
    many = load(tmp_path, FOUR.replace("4", "101") + '[links]\ngenerator = "ring"').peer_ids
    assert (many[0], many[-1]) == ("p000", "p100")
    assert list(many) == sorted(many)


def test_named_peers_are_sorted(tmp_path):
    assert load(tmp_path, NAMED + FULL).peer_ids == ("alice", "bob", "eve")


def dealt(topology):
    return [topology.profiles[peer].name for peer in topology.peer_ids]


def test_a_list_of_profiles_is_dealt_in_turn_and_exceptions_have_the_last_word(tmp_path):
    text = '[peers]\ncount = 5\nprofiles = ["laptop", "mini-pc"]\n'
    assert dealt(load(tmp_path, text + FULL)) == [
        "laptop",
        "mini-pc",
        "laptop",
        "mini-pc",
        "laptop",
    ]
    topology = load(tmp_path, text + '[peers.exceptions]\np03 = "jetson-nano"\n' + FULL)
    assert dealt(topology)[2:] == ["laptop", "jetson-nano", "laptop"]


def test_counted_profiles_are_spread_evenly(tmp_path):
    text = "[peers]\ncount = 6\n[peers.counts]\nlaptop = 4\nmini-pc = 2\n" + FULL
    assert dealt(load(tmp_path, text)) == ["laptop", "mini-pc", "laptop"] * 2


def test_a_profile_may_be_a_file_beside_the_topology(tmp_path):
    (tmp_path / "toaster.toml").write_text('description = "d"\nsource = "s"\nspeed = 0.1')
    topology = load(tmp_path, FOUR.replace('"laptop"', '"toaster.toml"') + FULL)
    assert topology.profiles["p00"].speed == 0.1


# --- links ---


def degrees(graph):
    return sorted(degree for _, degree in graph.degree)


@pytest.mark.parametrize(
    ("n", "links", "expected"),
    [
        (5, 'generator = "full"', [4] * 5),
        (5, 'generator = "ring"', [2] * 5),
        (2, 'generator = "ring"', [1] * 2),
        (5, 'generator = "star"', [1] * 4 + [4]),
        (8, 'generator = "k-regular"\ndegree = 3', [3] * 8),
        (8, 'generator = "small-world"\ndegree = 4\nrewire = 0', [4] * 8),
        (6, 'generator = "erdos-renyi"\nprobability = 1', [5] * 6),
    ],
)
def test_generators_link_as_promised(tmp_path, n, links, expected):
    assert degrees(generated(tmp_path, n, links)) == expected


def test_the_star_has_the_first_peer_in_the_middle(tmp_path):
    assert generated(tmp_path, 5, 'generator = "star"').degree["p00"] == 4


@pytest.mark.parametrize(
    "links",
    [
        'generator = "k-regular"\ndegree = 4',
        'generator = "small-world"\ndegree = 4\nrewire = 0.5',
        'generator = "erdos-renyi"\nprobability = 0.3',
    ],
)
def test_a_seed_reproduces_the_links_and_another_changes_them(tmp_path, links):
    first, again, other = (generated(tmp_path, 20, f"{links}\nseed = {seed}") for seed in (1, 1, 2))
    assert set(first.edges) == set(again.edges) != set(other.edges)


def test_rewiring_keeps_the_number_of_links(tmp_path):
    links = 'generator = "small-world"\ndegree = 4\nrewire = 0.5'
    assert generated(tmp_path, 20, links).number_of_edges() == 40


def test_edges_are_taken_as_given(tmp_path):
    text = NAMED + '[links]\nedges = [["alice", "bob"], ["eve", "bob"]]'
    assert {frozenset(edge) for edge in load(tmp_path, text).graph.edges} == {
        frozenset(("alice", "bob")),
        frozenset(("eve", "bob")),
    }


@pytest.mark.parametrize("name", ["g.graphml", "g.edgelist"])
def test_a_graph_file_names_the_peers(tmp_path, name):
    graph = nx.Graph([("eve", "bob"), ("bob", "alice")])
    write = nx.write_graphml_xml if name.endswith("graphml") else nx.write_edgelist
    write(graph, tmp_path / name)
    topology = load(tmp_path, f'[peers]\nprofiles = ["laptop"]\n[links]\nfile = "{name}"')
    assert topology.peer_ids == ("alice", "bob", "eve")
    assert degrees(topology.graph) == [1, 1, 2]


def test_the_graph_cannot_be_changed(tmp_path):
    with pytest.raises(nx.NetworkXError, match="Frozen"):
        load(tmp_path, FOUR + FULL).graph.remove_node("p00")


# --- refusals ---


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (FULL, r": peers = \(missing\): "),
        (FOUR, r": links = \(missing\): "),
        (FOUR + FULL + "[runs]\nrounds = 1", r": runs = \(a table\): .*the nearest is run$"),
        (FOUR + FULL + "[run]\nround = 1", r": run\.round = 1: .*the nearest is rounds"),
        (FOUR + FULL + "[run]\nrounds = 0", r": run\.rounds = 0: expected a number of at least 1"),
        (FOUR + FULL + '[run]\nsplit = "x"', r": run\.split = 'x': expected one of 'cluster-dir"),
        ("[peers]\ncount = 4\n" + FULL, r": peers\.profiles = \(missing\): expected a list of"),
        ('[peers]\nprofiles = ["laptop"]\n' + FULL, r": peers\.count = \(missing\): expected a nu"),
        (
            FOUR + "[peers.counts]\nlaptop = 4\n" + FULL,
            r": peers\.counts = \(a table\): .*not both",
        ),
        (FOUR + 'ids = ["a", "b"]\n' + FULL, r": peers\.count = 4: expected either count or ids"),
        (FOUR.replace("4", "1") + FULL, r": peers\.count = 1: expected a number of at least 2"),
        (FOUR.replace("4", "true") + FULL, r": peers\.count = True: expected an integer"),
        (
            FOUR.replace('"laptop"', "") + FULL,
            r": peers\.profiles = \[\]: expected at least 1 item",
        ),
        (NAMED.replace("bob", "eve") + FULL, r": peers\.ids = 'eve': expected every peer once"),
        (NAMED.replace("bob", "Bob") + FULL, r": peers\.ids\[0\] = 'Bob': expected text that matc"),
        (NAMED.replace("bob", "") + FULL, r": peers\.ids\[0\] = '': expected text that matches"),
        (NAMED.replace("bob", "b" * 33) + FULL, r": peers\.ids\[0\] = 'b+': expected text that"),
        (NAMED.replace("bob", "kernel") + FULL, r": peers\.ids = 'kernel': expected another id"),
        (NAMED.replace("bob", "kernel-h1") + FULL, r": peers\.ids = 'kernel-h1': expected another"),
        (
            FOUR.replace("laptop", "labtop") + FULL,
            r"peers.profiles = 'labtop': .*the nearest is laptop",
        ),
        (
            "[peers]\ncount = 4\n[peers.counts]\nlaptop = 3\n" + FULL,
            r": peers\.counts = \(3 in all\): expected counts that add up to the 4 peers",
        ),
        (
            FOUR + '[peers.exceptions]\np04 = "laptop"\n' + FULL,
            r": peers\.exceptions = 'p04': expected one of the 4 peers p00 \.\.\. p03",
        ),
    ],
)
def test_refusals_of_peers_and_settings(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, text)


@pytest.mark.parametrize(
    ("links", "message"),
    [
        ("", r"links\.generator = \(missing\): expected one of full, ring, star"),
        ('generator = "tree"', r"links\.generator = 'tree': expected one of 'full', 'ring'"),
        ('generator = "ring"\nedges = []', r"links\.edges = \[\]: expected no edges beside gen"),
        ('edges = []\nfile = "g.graphml"', r"links\.file = 'g\.graphml': expected no file beside"),
        ('generator = "k-regular"', r"links\.degree = \(missing\): expected a number: k-regular"),
        ('generator = "ring"\ndegree = 2', r"links\.degree = 2: expected no degree: ring has non"),
        ("edges = []\nrewire = 0.1", r"links\.rewire = 0\.1: expected no rewire: a given graph"),
        (
            'generator = "k-regular"\ndegree = 5',
            r"links\.degree = 5: expected a number below the 5",
        ),
        (
            'generator = "k-regular"\ndegree = 3',
            r"links\.degree = 3: expected an even number, as 5 peers is odd",
        ),
        ('generator = "k-regular"\ndegree = 0', r"links\.degree = 0: expected a number of at lea"),
        (
            'generator = "small-world"\ndegree = 3\nrewire = 0.1',
            r"links\.degree = 3: expected an even number: half on each side",
        ),
        (
            'generator = "small-world"\ndegree = 6\nrewire = 0.1',
            r"links\.degree = 6: expected a number below the 5 peers",
        ),
        (
            'generator = "small-world"\ndegree = 2\nrewire = 1.5',
            r"links\.rewire = 1\.5: expected a number of at most 1",
        ),
        (
            'generator = "erdos-renyi"\nprobability = 0',
            r"links\.probability = 0: expected a number above 0",
        ),
        ('edges = [["p00", "p00"]]', r"links\.edges = \('p00', 'p00'\): expected two different"),
        (
            'edges = [["p00", "p5"]]',
            r"links\.edges = 'p5': expected one of the 5 peers p00 \.\.\. ",
        ),
        ('edges = [["p00"]]', r"links\.edges\[0\]\[1\] = \(missing\): expected"),
        (
            'edges = [["p00", "p01"], ["p01", "p00"]]',
            r"links\.edges = \('p01', 'p00'\): expected every pair once",
        ),
        (
            'edges = [["p00", "p01"], ["p02", "p03"], ["p03", "p04"]]',
            r"links\.edges = \(3 edges\): expected a connected graph: this one falls into 2 "
            r"components, p00 is in the smallest \(2 of 5 peers\)",
        ),
        (
            'generator = "erdos-renyi"\nprobability = 0.001',
            r"links\.generator = \(erdos-renyi\): expected a connected graph: .* 5 components, p0",
        ),
        ('file = "g.gml"', r"links\.file = 'g\.gml': expected a file that ends in \.graphml or"),
        (
            'file = "knot.graphml"',
            r"links\.file = .*knot\.graphml': .*the nearest is knots\.graphml",
        ),
        ('file = "broken.graphml"', r"links\.file = 'broken\.graphml': expected a readable \.grap"),
        ('file = "arrows.graphml"', r"links\.file = 'arrows\.graphml': expected an undirected gra"),
        ('file = "loop.edgelist"', r"links\.file = \('p01', 'p01'\): expected two different peers"),
        ('file = "knots.graphml"', r"links\.file = 'Bob': expected one of the 5 peers"),
        ('file = "binary.edgelist"', r"links\.file = 'binary\.edgelist': expected a readable"),
    ],
)
def test_refusals_of_links(tmp_path, links, message):
    nx.write_graphml_xml(nx.Graph([("Bob", "p01")]), tmp_path / "knots.graphml")
    nx.write_graphml_xml(nx.DiGraph([("p00", "p01")]), tmp_path / "arrows.graphml")
    (tmp_path / "broken.graphml").write_text("<graphml><graph>")
    (tmp_path / "loop.edgelist").write_text("p00 p01\np01 p01\n")
    (tmp_path / "binary.edgelist").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"net\.toml: " + message) as refusal:
        load(tmp_path, FOUR.replace("4", "5") + "[links]\n" + links)
    assert "\n" not in str(refusal.value)


def test_a_graph_file_with_a_name_that_is_no_peer_is_refused(tmp_path):
    nx.write_graphml_xml(nx.Graph([("Bob", "eve")]), tmp_path / "g.graphml")
    with pytest.raises(ConfigError, match=r"nodes\[0\] = 'Bob': expected text that matches"):
        load(tmp_path, '[peers]\nprofiles = ["laptop"]\n[links]\nfile = "g.graphml"')


# --- settings ---


def test_the_command_line_goes_over_the_file_and_the_file_over_the_defaults(tmp_path):
    topology = load(tmp_path, FOUR + FULL + '[run]\nrounds = 5\nseed = 3\nbaseline = "local"')
    assert topology.run == {"baseline": Algorithm.LOCAL, "rounds": 5, "seed": 3}
    settings = resolve_settings(topology, {"seed": 7, "data_dir": Path("d"), "epochs": None})
    assert (settings.rounds, settings.seed, settings.baseline) == (5, 7, Algorithm.LOCAL)
    assert settings.data_dir == Path("d")
    assert settings.epochs == RunSettings().epochs


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"images_per_peer": 1}, r"^--images-per-peer = 1: expected a number of at least 8"),
        ({"rounds": True}, r"^--rounds = True: expected an integer"),
        ({"split": "x"}, r"^--split = 'x': expected one of"),
        ({"roundz": 1}, r"^--roundz = 1: expected a known key; the nearest is rounds"),
    ],
)
def test_a_wrong_override_is_named_as_its_option(tmp_path, overrides, message):
    with pytest.raises(ConfigError, match=message):
        resolve_settings(load(tmp_path, FOUR + FULL), overrides)


# --- what links are like ---


def far(tmp_path, everywhere="", *tables):
    return load(tmp_path, NAMED + FULL + everywhere + "".join(f"\n[[link]]\n{t}" for t in tables))


def test_links_are_clear_unless_the_file_says_more(tmp_path):
    assert far(tmp_path).links == {}


def test_all_links_are_so_each_way_and_some_are_otherwise(tmp_path):
    links = far(
        tmp_path,
        "delay_ms = 20\nrate_mbit_s = 5\n",
        'from = "bob"\nto = "eve"\nboth_ways = false\ndelay_ms = 90',
        'from = "bob"\nto = "alice"\nloss = 0.1\nrate_mbit_s = 2',
    ).links
    assert len(links) == 6
    assert links["alice", "eve"] == links["eve", "bob"] == LinkState(5, 20)
    assert links["bob", "eve"] == LinkState(5, 90)
    assert links["bob", "alice"] == links["alice", "bob"] == LinkState(2, 20, loss=0.1)


def test_a_plan_repeats_the_links(tmp_path):
    topology = far(tmp_path, "jitter_ms = 1\n", 'from = "bob"\nto = "eve"\nrate_mbit_s = 2')
    names = properties_by_name(topology.links)
    assert names["bob->eve"].given() == {"rate_mbit_s": 2, "delay_ms": 0, "jitter_ms": 1, "loss": 0}
    assert states_from_names(names, topology.links, "plan.json") == topology.links
    with pytest.raises(ConfigError, match="links = 'alice->bob': expected a link of the run"):
        states_from_names(names, [], "plan.json")


@pytest.mark.parametrize(
    ("everywhere", "table", "message"),
    [
        ("dely_ms = 1", "", r"links\.dely_ms = 1: expected a known key; the nearest is delay_ms"),
        ("loss = 1", "", r"links\.loss = 1: expected a number below 1"),
        ("rate_mbit_s = 0", "", r"links\.rate_mbit_s = 0: expected a number above 0"),
        ("", "delay_ms = 1", r"link\[0\]\.from = \(missing\)"),
        ("", 'from = "bob"\nto = "eve"', r"link\[0\]\.rate_mbit_s = \(missing\): .*delay_ms"),
        ("", 'form = "bob"\nto = "eve"\nloss = 0.1', r"link\[0\]\.form = 'bob': .*nearest is from"),
        ("", 'from = "bob"\nto = "eva"\nloss = 0.1', r"link\[0\] = 'bob to eva': expected a link"),
        (
            "",
            'from = "bob"\nto = "eve"\nloss = 0.1\n[[link]]\nfrom = "eve"\nto = "bob"\nloss = 0.2',
            r"link\[1\] = 'eve to bob': expected every direction once",
        ),
    ],
)
def test_wrong_links_are_refused(tmp_path, everywhere, table, message):
    with pytest.raises(ConfigError, match=message):
        far(tmp_path, everywhere, *[table] * bool(table))
