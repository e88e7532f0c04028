import numpy as np
import pytest
from hand_layouts import constant, mask_of, plain, random_weights

from prisam_p2p.core.delta_similarity import delta_cosines, kmeans_of_cosines
from prisam_p2p.core.layout import Weights, narrow

LAYOUT = plain()
W0 = random_weights(LAYOUT, 0)


def moved(**deltas):
    """Return W0 plus these deltas; in names, __ stands for a dot."""
    by = constant(LAYOUT, 0, **deltas).tensors
    return Weights(W0.mask, {name: array + by[name] for name, array in W0.tensors.items()})


def test_cosines_match_an_example_by_hand():
    members = {
        "a": moved(linear__bias=[3, 0]),
        "b": moved(linear__bias=[6, 8]),
        "c": moved(linear__bias=[0, 2]),
        "d": moved(linear__bias=[-1, 0]),
    }
    peers, cosines = delta_cosines(LAYOUT, W0, members)
    assert peers == ("a", "b", "c", "d")
    expected = [[1, 0.6, 0, -1], [0.6, 1, 0.8, -0.6], [0, 0.8, 1, 0], [-1, -0.6, 0, 1]]
    assert cosines == pytest.approx(np.array(expected), abs=1e-6)


def test_statistics_and_counters_do_not_count():
    one = moved(linear__bias=[1, 0])
    other = moved(linear__bias=[1, 0], bn1__running_mean=[9, 9, 9, 9])
    other.tensors["bn1.num_batches_tracked"] = np.asarray(1000)
    assert delta_cosines(LAYOUT, W0, {"a": one, "b": other})[1] == pytest.approx(np.ones((2, 2)))


def test_the_delta_of_a_pruned_weight_is_zero():
    a, b = moved(bn1__bias=[1, 0, 0, 0]), moved(bn1__bias=[1, 0, 0, 1])
    without_the_last = narrow(LAYOUT, b, mask_of("1110 111"))
    assert delta_cosines(LAYOUT, W0, {"a": a, "b": b})[1][0, 1] == pytest.approx(0.5**0.5, abs=1e-6)
    cosines = delta_cosines(LAYOUT, W0, {"a": a, "b": without_the_last})[1]
    assert cosines[0, 1] == pytest.approx(1)


def test_a_peer_without_deltas_has_cosine_0_to_every_other():
    cosines = delta_cosines(LAYOUT, W0, {"a": W0, "b": moved(linear__bias=[1, 0])})[1]
    assert cosines.tolist() == [[1, 0], [0, 1]]


def test_kmeans_groups_deltas_by_direction_not_by_length():
    members = {
        "a": moved(linear__bias=[1, 0.1]),
        "b": moved(linear__bias=[90, 1]),
        "c": moved(linear__bias=[0, 5]),
        "d": moved(linear__bias=[0.01, 0.5]),
    }
    peers, cosines = delta_cosines(LAYOUT, W0, members)
    for t in range(5):
        groups = kmeans_of_cosines(peers, cosines, k=2, seed=1, round_index=t)
        assert groups.labels == {"a": 0, "b": 0, "c": 1, "d": 1}


def test_points_from_the_cosines_keep_all_distances():
    """K-means depends on distances only, so the points can replace the deltas."""
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((5, 40))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    values, vectors = np.linalg.eigh(rows @ rows.T)
    points = vectors * np.sqrt(np.maximum(values, 0))
    for i in range(5):
        for j in range(5):
            expected = np.linalg.norm(rows[i] - rows[j])
            assert np.linalg.norm(points[i] - points[j]) == pytest.approx(expected)
