import pytest

from prisam_p2p.plan.link_properties import CLEAR, LinkState


@pytest.mark.parametrize(
    "wrong",
    [
        {"rate_mbit_s": 0.0},
        {"rate_mbit_s": float("nan")},
        {"delay_ms": -1.0},
        {"jitter_ms": float("nan")},
        {"loss": 1.1},
        {"loss": -0.1},
    ],
)
def test_impossible_link_properties_are_refused(wrong):
    with pytest.raises(ValueError, match=r"expected|below"):
        LinkState(**wrong)


def test_a_link_is_clear_by_default():
    assert LinkState() == CLEAR
