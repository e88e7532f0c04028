import networkx as nx
import numpy as np
import pytest
from hand_layouts import constant, mask_of, plain, random_weights

from prisam_p2p.core.aggregation import aggregate
from prisam_p2p.core.layout import narrow
from prisam_p2p.core.metropolis import metropolis_weights, mix


def test_the_weights_of_a_path_match_a_calculation_by_hand():
    """The path is a - b - c: the ends have one neighbor, b has two."""
    assert metropolis_weights("a", 1, {"b": 2}) == {"b": 1 / 3, "a": pytest.approx(2 / 3)}
    assert metropolis_weights("b", 2, {"a": 1, "c": 1}) == {
        "a": 1 / 3,
        "c": 1 / 3,
        "b": pytest.approx(1 / 3),
    }


def test_the_weight_of_a_missing_neighbor_goes_to_the_peer_itself():
    assert metropolis_weights("b", 2, {"a": 1}) == {"a": 1 / 3, "b": pytest.approx(2 / 3)}
    assert metropolis_weights("b", 2, {}) == {"b": 1.0}


@pytest.mark.parametrize("graph", [nx.karate_club_graph(), nx.star_graph(5), nx.complete_graph(4)])
def test_the_matrix_is_symmetric_and_doubly_stochastic(graph):
    n = len(graph)
    matrix = np.zeros((n, n))
    for i in graph:
        neighbors = {str(j): graph.degree(j) for j in graph.neighbors(i)}
        for j, share in metropolis_weights(str(i), graph.degree(i), neighbors).items():
            matrix[i, int(j)] = share
    assert matrix.min() >= 0
    assert np.array_equal(matrix, matrix.T)
    assert np.allclose(matrix.sum(0), 1)
    assert np.allclose(matrix.sum(1), 1)


def test_a_mix_matches_a_calculation_by_hand():
    layout = plain()
    members = {"a": constant(layout, 3), "b": constant(layout, 6), "c": constant(layout, 8)}
    mixed = mix(layout, members, {"a": 1 / 3, "b": 1 / 6, "c": 1 / 2})
    assert mixed.mask.all()
    for tensor in layout.tensors:
        expected = 8 if tensor.dtype.kind == "i" else 3 / 3 + 6 / 6 + 8 / 2
        assert mixed.tensors[tensor.name].dtype == tensor.dtype
        assert mixed.tensors[tensor.name] == pytest.approx(expected)


def test_equal_shares_are_the_plain_mean():
    layout = plain()
    members = {peer: random_weights(layout, seed) for seed, peer in enumerate("abc")}
    mixed = mix(layout, members, dict.fromkeys("abc", 1 / 3)).tensors
    plain_mean = aggregate(layout, members)[0].tensors
    for tensor in layout.tensors:
        assert np.allclose(mixed[tensor.name], plain_mean[tensor.name], atol=1e-6)


def test_the_order_of_members_does_not_matter_to_the_last_bit():
    layout = plain()
    members = {peer: random_weights(layout, seed) for seed, peer in enumerate("abc")}
    shares = {"a": 0.2, "b": 0.3, "c": 0.5}
    one, other = (
        mix(layout, {p: members[p] for p in order}, shares).tensors for order in ("abc", "cab")
    )
    assert all(one[name].tobytes() == other[name].tobytes() for name in one)


def test_a_slim_network_cannot_be_mixed():
    layout = plain()
    slim = narrow(layout, random_weights(layout, 0), mask_of("1100 101"))
    with pytest.raises(ValueError, match="pruned"):
        mix(layout, {"a": slim}, {"a": 1.0})
