"""The images of one class: an image that is given out again keeps its purpose."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.learn.splits import ClassImages


def take(n_images, *requests):
    """Take (validation, training) images for one peer after the other."""
    images = ClassImages(np.arange(n_images))
    return [tuple(part.tolist() for part in images.take(*request)) for request in requests]


def test_images_are_given_out_in_order():
    assert take(10, (1, 3), (2, 2)) == [([0], [1, 2, 3]), ([4, 5], [6, 7])]


def test_images_that_are_given_out_again_keep_their_purpose():
    first, second, third = take(6, (1, 3), (1, 3), (1, 3))
    assert first == ([0], [1, 2, 3])
    assert second == ([4], [5, 1, 2])
    assert third == ([0], [3, 5, 1])


def test_too_few_images_for_one_purpose_each_serve_both():
    assert take(3, (0, 3), (1, 2)) == [([], [0, 1, 2]), ([2], [0, 1])]


requests = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 12)), min_size=1, max_size=20)


@given(st.integers(16, 40), requests)
def test_each_request_is_met_with_distinct_images(n_images, asked):
    for (n_validation, n_train), (validation, train) in zip(
        asked, take(n_images, *asked), strict=True
    ):
        assert (len(validation), len(train)) == (n_validation, n_train)
        assert len({*validation, *train}) == n_validation + n_train
        assert {*validation, *train} <= set(range(n_images))


@given(st.integers(20, 60), st.integers(1, 30))
def test_no_peer_trains_on_an_image_that_another_validates_on(n_images, n_peers):
    taken = take(n_images, *[(2, 8)] * n_peers)
    validated = {image for validation, _ in taken for image in validation}
    trained = {image for _, train in taken for image in train}
    assert not validated & trained
