"""The MACs of training, by hand."""

import numpy as np
import pytest

from prisam_p2p.learn.cost import macs
from prisam_p2p.learn.models import Architecture
from prisam_p2p.learn.structure import layout_of
from prisam_p2p.report.training_macs import training_macs

DENSE = {"images": 80, "macs": 400}
PRUNED = {"images": 80, "macs": 100}


def test_training_counts_forward_and_backward_of_the_network_as_it_was():
    assert training_macs([DENSE, PRUNED], []) == 3 * 80 * 400 + 3 * 80 * 100


def test_evaluations_to_choose_count_forward_only():
    assert training_macs([DENSE], [{"images": 160, "macs": 64_000}]) == 96_000 + 64_000


@pytest.mark.parametrize("lines", [[], [{"images": 80}], [DENSE, {"images": 80, "macs": None}]])
def test_older_journals_and_peers_that_never_trained_have_no_count(lines):
    assert training_macs(lines, []) is None


@pytest.mark.parametrize("kept", ["all", "one"])
def test_a_dense_and_a_pruned_vgg_s_by_hand(kept):
    """VGG-S on 8x8, by layer: outputs x inputs x 3x3 kernel, and the linear layer."""
    asked = Architecture("vgg-s", 1.0, 10, (1, 8, 8))
    layout = layout_of(asked)
    mask = layout.full_mask()
    widths = [span.stop - span.start for span in layout.spans]
    if kept == "one":
        mask = np.zeros(layout.n_bits, np.bool_)
        mask[[span.start for span in layout.spans]] = True
        widths = [1] * len(widths)
    areas = [64, 16, 4, 1]
    convolutions = sum(
        area * n_in * n_out * 9
        for area, n_in, n_out in zip(areas, [1, *widths], widths, strict=False)
    )
    by_hand = convolutions + widths[-1] * 10
    line = {"images": 20, "macs": macs(asked, mask)}
    assert training_macs([line], []) == 3 * 20 * by_hand
