from collections import Counter
from math import exp, inf, nan

import pytest

from prisam_p2p.core.peer_choice import (
    add_trial,
    draw_by_similarity,
    draw_peers,
    favorites,
    lowest,
    note_losses,
    similarities,
)

FIVE = ["e", "b", "a", "d", "c"]


def test_a_draw_has_n_distinct_peers_in_ascending_order():
    drawn = draw_peers(FIVE, 3, seed=0, index=1, round_index=2)
    assert len(set(drawn)) == 3
    assert set(drawn) < set(FIVE)
    assert list(drawn) == sorted(drawn)


def test_a_draw_depends_on_seed_peer_and_round_alone():
    draws = {
        (seed, index, t): draw_peers(FIVE, 2, seed, index, t)
        for seed in range(3)
        for index in range(3)
        for t in range(3)
    }
    again = {key: draw_peers(sorted(FIVE), 2, *key) for key in draws}
    assert again == draws
    for position in range(3):  # each of the three arguments matters
        one_other = [
            (key, tuple(0 if i == position else k for i, k in enumerate(key))) for key in draws
        ]
        assert any(draws[key] != draws[zero] for key, zero in one_other)


def test_drawing_more_peers_than_exist_gives_them_all():
    assert draw_peers(FIVE, 9, 0, 0, 0) == ("a", "b", "c", "d", "e")
    assert draw_peers([], 2, 0, 0, 0) == ()


def test_draws_are_uniform():
    n = 4000
    seen = Counter(peer for t in range(n) for peer in draw_peers(FIVE, 2, 7, 3, t))
    for peer in FIVE:  # 2 of 5, and 5 standard deviations of a binomial
        assert seen[peer] == pytest.approx(0.4 * n, abs=5 * (n * 0.4 * 0.6) ** 0.5)


def test_the_lowest_losses_are_best_and_ties_go_to_the_lower_id():
    losses = {"c": 0.5, "a": 0.9, "b": 0.5, "d": 0.4}
    assert lowest(losses, 1) == ("d",)
    assert lowest(losses, 2) == ("b", "d")
    assert lowest(losses, 3) == ("b", "c", "d")
    assert lowest(losses, 9) == ("a", "b", "c", "d")


def test_favorites_match_an_example_by_hand():
    """The best two of four: by chance, a peer is among them in half of its rounds."""
    trials = add_trial({}, ["a", "b", "c", "d"], ["a", "b"])
    assert trials == {"a": (0.5, 1), "b": (0.5, 1), "c": (-0.5, 1), "d": (-0.5, 1)}
    trials = add_trial(trials, ["a", "b", "c", "e"], ["a", "c"])
    # a: 2 of 2 rounds; b and c: 1 of 2, as by chance; d and e: 0 of 1
    assert trials["a"] == (1.0, 2)
    assert trials["b"] == trials["c"] == (0.0, 2)
    assert favorites(trials) == ("a",)


def test_a_round_in_which_all_are_best_makes_no_favorites():
    assert favorites(add_trial({}, ["a", "b"], ["a", "b"])) == ()
    assert add_trial({}, [], []) == {}


def test_rounding_of_thirds_makes_no_favorites():
    trials = {}
    for best in ("a", "b", "c") * 2:
        trials = add_trial(trials, ["a", "b", "c"], [best])
    assert favorites(trials) == ()


def test_a_similarity_is_one_over_the_latest_loss():
    once = note_losses({}, {"a": 0.5, "b": 2.0})
    again = note_losses(once, {"b": 4.0, "c": nan, "d": inf, "e": 0.0})
    assert again == {"a": (2.0, 1), "b": (0.25, 2), "c": (0.0, 1), "d": (0.0, 1), "e": (1e6, 1)}


def test_a_peer_that_was_never_tried_counts_as_the_most_similar_one():
    trials = note_losses({}, {"a": 0.5, "b": 2.0, "gone": 0.1})
    assert similarities(trials, ["c", "b", "a"]) == {"a": 2.0, "b": 0.5, "c": 2.0}
    assert similarities({}, ["b", "a"]) == {"a": 0.0, "b": 0.0}


def test_draws_by_similarity_follow_the_softmax():
    n, similarity, tau = 4000, {"a": 1.0, "b": 0.5, "c": 0.0}, 2.0
    seen = Counter(draw_by_similarity(similarity, 1, tau, 7, 3, t)[0] for t in range(n))
    total = sum(exp(tau * s) for s in similarity.values())
    for peer, s in similarity.items():
        share = exp(tau * s) / total
        assert seen[peer] == pytest.approx(share * n, abs=5 * (n * share * (1 - share)) ** 0.5)


def test_a_draw_by_similarity_takes_distinct_peers_and_no_exponential_overflows():
    similarity = {"a": 1e6, "b": 1.0, "c": 999_999.0, "d": 0.0}
    assert draw_by_similarity(similarity, 2, 20.0, 0, 1, 2) == ("a", "c")
    assert draw_by_similarity(similarity, 9, 20.0, 0, 1, 2) == ("a", "b", "c", "d")
    even = [draw_by_similarity(similarity, 1, 0.0, 0, 1, t) for t in range(50)]
    assert {peer for (peer,) in even} == set(similarity)
    assert even == [draw_by_similarity(similarity, 1, 0.0, 0, 1, t) for t in range(50)]
