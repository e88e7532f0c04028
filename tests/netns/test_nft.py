import pytest

from prisam_p2p.netns import nft


@pytest.mark.parametrize(("chance", "limit"), [(0.0, 0), (0.5, 1 << 30), (1.0, 1 << 31)])
def test_a_probability_is_encoded_as_a_share_of_two_to_the_31(chance, limit):
    assert nft.by_chance(chance).endswith(limit.to_bytes(4, "big"))
