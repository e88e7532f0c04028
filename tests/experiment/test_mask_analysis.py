"""How well masks reflect the data groups."""

import numpy as np
import pytest

from prisam_p2p.experiment.mask_analysis import (
    AnnouncedMasks,
    pair_auc,
    principal_components,
    similarity,
)


def of(rows, groups):
    peers = [f"p{i}" for i in range(len(rows))]
    masks = {peer: np.array(row, bool) for peer, row in zip(peers, rows, strict=True)}
    return AnnouncedMasks(masks, dict(zip(peers, groups, strict=True)))


def test_auc_is_a_share_of_pairs_and_ties_count_half():
    """The pair of one group has 1 equal bit of 2; the two other pairs have 1 and 0."""
    assert pair_auc(of([[0, 0], [0, 1], [1, 0]], [0, 0, 1])) == 0.75


def test_auc_needs_both_kinds_of_pairs():
    assert pair_auc(of([[0], [1]], [0, 0])) is None
    assert pair_auc(of([[0], [1]], [0, 1])) is None


def test_similarity_is_ordered_by_group():
    found = similarity(of([[0, 0], [1, 1], [0, 0]], [0, 1, 0]))
    assert found.tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]


def test_components_lie_along_the_bits_that_differ():
    points, shares = principal_components(of([[0, 0, 1], [0, 0, 1], [1, 1, 1]], [0, 0, 1]))
    assert shares == pytest.approx([1, 0])
    assert points[0, 0] == pytest.approx(points[1, 0])
    assert abs(points[2, 0] - points[0, 0]) == pytest.approx(np.sqrt(2))


def test_equal_masks_have_equal_components():
    points, shares = principal_components(of([[0, 1], [0, 1]], [0, 1]))
    assert not points.any()
    assert not shares.any()
