"""Decks of images: what is dealt again is dealt for the same use."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.learn.split_decks import Deck


def deal(n_cards, *hands):
    deck = Deck(np.arange(n_cards))
    return [tuple(cards.tolist() for cards in deck.deal(*hand)) for hand in hands]


def test_a_deck_is_dealt_from_the_top():
    assert deal(10, (1, 3), (2, 2)) == [([0], [1, 2, 3]), ([4, 5], [6, 7])]


def test_it_starts_over_with_the_uses_that_images_had():
    first, second, third = deal(6, (1, 3), (1, 3), (1, 3))
    assert first == ([0], [1, 2, 3])
    assert second == ([4], [5, 1, 2])
    assert third == ([0], [3, 5, 1])


def test_too_few_for_one_use_each_are_dealt_all_the_same():
    assert deal(3, (0, 3), (1, 2)) == [([], [0, 1, 2]), ([2], [0, 1])]


hands = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 12)), min_size=1, max_size=20)


@given(st.integers(16, 40), hands)
def test_hands_are_as_asked_for_and_of_different_images(n_cards, asked):
    for (n_validation, n_train), (validation, train) in zip(
        asked, deal(n_cards, *asked), strict=True
    ):
        assert (len(validation), len(train)) == (n_validation, n_train)
        assert len({*validation, *train}) == n_validation + n_train
        assert {*validation, *train} <= set(range(n_cards))


@given(st.integers(20, 60), st.integers(1, 30))
def test_nobody_trains_on_what_another_validates_on(n_cards, n_peers):
    dealt = deal(n_cards, *[(2, 8)] * n_peers)
    validated = {card for validation, _ in dealt for card in validation}
    trained = {card for _, train in dealt for card in train}
    assert not validated & trained
