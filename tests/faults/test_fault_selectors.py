import networkx as nx
import numpy as np
import pytest
from hand_faults import full, plan, star, targets_on
from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.errors import ConfigError
from prisam_p2p.faults.compiler.resolve_links import resolve_links
from prisam_p2p.faults.compiler.resolve_peers import KeyPath, draw_peers, resolve_peers, share_of
from prisam_p2p.faults.scenario.selectors import LinkSelector, Selector

PATH = KeyPath("scenario storm", "churn.peers")
BARBELL = targets_on(nx.Graph([("a", "b"), ("b", "c"), ("a", "c"), ("c", "d"), ("d", "e")]))
TEN = full(10, groups=3, profiles=("laptop", "phone"))


def meant(form, targets=TEN, seed=0):
    selector = Selector.model_validate(form)
    return resolve_peers(selector, targets, np.random.default_rng(seed), PATH)


def links(form, targets, one_way=False):
    selector = LinkSelector.model_validate(form)
    return resolve_links(selector, targets, np.random.default_rng(0), PATH, one_way)


# --- peers ---


@pytest.mark.parametrize(
    ("form", "peers"),
    [
        (["p03", "p00", "p03"], ("p00", "p03")),
        ("all", TEN.peers),
        ({"data_group": 2}, ("p07", "p08", "p09")),
        ({"profile": "phone"}, ("p01", "p03", "p05", "p07", "p09")),
        ({"not": ["p00", "p09"]}, TEN.peers[1:9]),
        ({"data_group": 2, "not": ["p08"]}, ("p07", "p09")),
        ({"ids": ["p01", "p02"], "not": ["p02"]}, ("p01",)),
        ({"pick": 10}, TEN.peers),
        ({"percent": 100, "profile": "phone"}, ("p01", "p03", "p05", "p07", "p09")),
    ],
)
def test_a_selector_means(form, peers):
    assert meant(form) == peers


@pytest.mark.parametrize(
    ("role", "peers"), [("hub", ("c",)), ("leaf", ("e",)), ("bridge", ("c", "d"))]
)
def test_a_role_is_a_peers_place_in_the_network(role, peers):
    assert meant({"role": role}, BARBELL) == peers


def test_in_a_full_network_all_are_hubs():
    assert meant({"role": "hub"}) == TEN.peers


@pytest.mark.parametrize(
    ("percent", "n", "count"),
    [(30, 20, 6), (30, 10, 3), (25, 10, 3), (24.9, 10, 2), (1, 10, 1), (100, 7, 7), (50, 5, 3)],
)
def test_percent_is_rounded_half_up_and_at_least_one(percent, n, count):
    assert share_of(percent, n) == count
    assert len(meant({"percent": percent}, full(n))) == count


@given(st.integers(0, 2**32 - 1), st.integers(1, 10))
def test_a_pick_is_ascending_without_twins_and_its_own_seeds(seed, n):
    picked = meant({"pick": n}, seed=seed)
    assert list(picked) == sorted(set(picked))
    assert len(picked) == n
    assert picked == meant({"pick": n}, seed=seed)


def test_a_smaller_pick_is_part_of_a_larger_one():
    for n in range(1, 10):
        assert set(meant({"pick": n})) < set(meant({"pick": n + 1}))


def test_every_peer_is_picked_by_some_seed_and_the_drawn_order_is_no_order():
    generators = [np.random.default_rng(seed) for seed in range(60)]
    drawn = [draw_peers(Selector.model_validate({"pick": 3}), TEN, g, PATH) for g in generators]
    assert {peer for each in drawn for peer in each} == set(TEN.peers)
    assert any(list(each) != sorted(each) for each in drawn)


@pytest.mark.parametrize("form", ["all", ["p03"], {"data_group": 1}, {"role": "hub"}])
def test_only_pick_and_percent_draw(form):
    generator = np.random.default_rng(0)
    resolve_peers(Selector.model_validate(form), TEN, generator, PATH)
    assert generator.random() == np.random.default_rng(0).random()


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (["p99"], r"churn\.peers = 'p99': expected one of the 10 peers p00 \.\.\. p09"),
        ({"not": ["p99"]}, r"churn\.peers\.not = 'p99': expected one of the 10 peers"),
        ({"data_group": 3}, r"churn\.peers\.data_group = 3: expected one of the groups 0, 1, 2"),
        ({"profile": "phon"}, r"churn\.peers\.profile = 'phon': .*the nearest is phone"),
        ({"role": "leaf"}, r"churn\.peers\.role = 'leaf': expected a role that a peer has"),
        ({"pick": 11}, r"churn\.peers\.pick = 11: expected at most the 10 peers to pick from"),
        (
            {"pick": 3, "data_group": 2, "not": ["p07"]},
            r"churn\.peers\.pick = 3: expected at most the 2 peers",
        ),
        (
            {"ids": ["p01"], "not": ["p01"]},
            r"churn\.peers = \(no peers\): expected a selector that",
        ),
    ],
)
def test_refusals_of_selectors(form, message):
    with pytest.raises(ConfigError, match=r"^scenario storm: " + message):
        meant(form)


def test_without_groups_in_the_data_none_can_be_meant():
    with pytest.raises(ConfigError, match=r"data_group = 0: expected no data_group: this split"):
        meant({"data_group": 0}, full(3))


# --- links ---


@pytest.mark.parametrize(
    ("form", "one_way", "expected"),
    [
        ("all", False, star(3).links),
        (["p00->p01"], False, (("p00", "p01"),)),
        (["p00 -> p01", "p00-p02"], False, (("p00", "p01"), ("p00", "p02"), ("p02", "p00"))),
        ({"of": ["p02"]}, False, (("p00", "p02"), ("p02", "p00"))),
        ({"of": ["p02"]}, True, (("p02", "p00"),)),
        ({"between": [["p01"], "all"]}, False, (("p00", "p01"), ("p01", "p00"))),
        ({"between": [["p01"], "all"]}, True, (("p01", "p00"),)),
        ({"between": ["all", ["p01"]]}, True, (("p00", "p01"),)),
    ],
)
def test_a_selector_means_links(form, one_way, expected):
    assert links(form, star(3), one_way) == expected


def test_names_with_hyphens_are_told_apart_by_what_is_linked():
    targets = targets_on(nx.Graph([("a-b", "c"), ("a", "x"), ("c", "x")]))
    assert links(["a-b-c"], targets) == (("a-b", "c"), ("c", "a-b"))
    assert links(["a-b->c"], targets) == (("a-b", "c"),)
    two = targets_on(nx.Graph([("a-b", "c"), ("a", "b-c"), ("a", "c")]))
    with pytest.raises(ConfigError, match=r"'a-b-c': expected one pair of peers: write"):
        links(["a-b-c"], two)
    hyphens = targets_on(nx.Graph([("a-", "-b")]))
    assert links(["a-->-b"], hyphens) == (("a-", "-b"),)


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (["p01->p02"], r"'p01->p02': expected a link of this network"),
        (["p00-p9"], r"'p00-p9': expected a link of this network"),
        (
            {"between": [["p01"], ["p02"]]},
            r"\(no links\): expected a selector that matches at least",
        ),
        ({"between": [["p01"], ["p77"]]}, r"between\[1\] = 'p77': expected one of the 3 peers"),
        ({"of": ["p77"]}, r"\.of = 'p77': expected one of the 3 peers"),
    ],
)
def test_refusals_of_links(form, message):
    with pytest.raises(ConfigError, match=message):
        links(form, star(3))


# --- sides ---


def partition(rest, targets=TEN, seed=0):
    text = f'id = "f"\nkind = "partition"\nat = {{ round = 1, phase = "pull" }}\n{rest}'
    return plan(text, targets, seed=seed).occurrences[0]


def crossing(occurrence):
    """Return the directed pairs of side numbers that the links lead between."""
    sides = occurrence.parameters["groups"]
    side = {peer: i for i, peers in enumerate(sides) for peer in peers}
    return {(side[a], side[b]) for a, b in occurrence.links}


def test_the_last_side_of_a_partition_can_be_the_rest():
    occurrence = partition('groups = [{ percent = 50 }, "all"]')
    one, other = occurrence.parameters["groups"]
    assert sorted(one + other) == list(TEN.peers)
    assert len(one) == 5
    assert len(occurrence.links) == 2 * 25
    assert crossing(occurrence) == {(0, 1), (1, 0)}
    assert occurrence.peers == []


def test_one_way_nothing_passes_to_a_later_side():
    occurrence = partition('groups = [["p00"], ["p01"], ["p02"]]\none_way = true')
    assert crossing(occurrence) == {(0, 1), (0, 2), (1, 2)}


def test_the_groups_of_the_data_can_be_the_sides():
    occurrence = partition("sides = { data_groups = true }")
    assert [len(side) for side in occurrence.parameters["groups"]] == [4, 3, 3]
    assert len(occurrence.links) == 2 * (4 * 3 + 4 * 3 + 3 * 3)


def test_peers_on_no_side_keep_their_links():
    occurrence = partition('groups = [["p00"], ["p01"]]')
    assert occurrence.links == [("p00", "p01"), ("p01", "p00")]


@pytest.mark.parametrize(
    ("rest", "targets", "message"),
    [
        ('groups = [["p00"], ["p00", "p01"]]', TEN, r"f\.groups\[1\] = 'p00': expected every peer"),
        ('groups = ["all", "all"]', TEN, r"f\.groups\[1\] = \(no peers\)"),
        ('groups = [["p01"], ["p02"]]', star(4), r"f\.groups = \(unlinked\): expected sides with"),
        ("sides = { data_groups = true }", full(4), r"f\.sides\.data_groups = True: expected grou"),
    ],
)
def test_refusals_of_sides(rest, targets, message):
    with pytest.raises(ConfigError, match=message):
        partition(rest, targets)
