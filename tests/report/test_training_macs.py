"""The MACs of training, by hand."""

import pytest

from prisam_p2p.report.training_macs import training_macs

DENSE = {"images": 80, "macs": 400, "training_macs": 96_000}
PRUNED = {"images": 80, "macs": 100, "training_macs": 24_000}


def test_all_trainings_count():
    assert training_macs([DENSE, PRUNED], []) == 96_000 + 24_000


def test_passes_to_choose_count():
    passes = [{"images": 160, "macs": 64_000}, {"images": 32, "macs": 9_600}]
    assert training_macs([DENSE], passes) == 96_000 + 64_000 + 9_600


@pytest.mark.parametrize("lines", [[], [{"images": 80, "macs": 400}], [DENSE, {"images": 80}]])
def test_older_journals_and_peers_that_never_trained_have_no_count(lines):
    assert training_macs(lines, []) is None
