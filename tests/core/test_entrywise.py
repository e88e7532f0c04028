import numpy as np
import pytest
from hand_layouts import constant, plain, random_weights, residual

from prisam_p2p.core.aggregation import aggregate
from prisam_p2p.core.entrywise import entries_of, entrywise, network_of
from prisam_p2p.core.layout import pack, unpack

NETWORK = plain(a=2, b=1, classes=2)
LAYOUT = entrywise(NETWORK)
# conv1.weight 2x1x1x2 | bn1 weight, bias 2 + 2 | conv2.weight 1x2 | bn2 1 + 1 | linear 2x1 + 2
N_ENTRIES = 4 + 4 + 2 + 2 + 4


def half(seed=0):
    return np.random.default_rng(seed).random(LAYOUT.n_bits) < 0.5


def test_there_is_a_bit_for_each_trainable_entry():
    assert LAYOUT.n_bits == N_ENTRIES
    assert LAYOUT.n_parameters(LAYOUT.full_mask()) == N_ENTRIES
    assert [t.name for t in LAYOUT.tensors] == [t.name for t in NETWORK.tensors]


@pytest.mark.parametrize("network", [NETWORK, plain(), residual()])
def test_keeping_all_entries_gives_the_network_bit_for_bit(network):
    layout, weights = entrywise(network), random_weights(network, 1)
    entries = entries_of(layout, weights, layout.full_mask())
    assert bytes(pack(layout, entries)) == bytes(pack(network, weights))
    back = network_of(layout, entries)
    for name, array in weights.tensors.items():
        assert back.tensors[name].shape == array.shape
        assert back.tensors[name].tobytes() == array.tobytes()


def test_a_dropped_entry_is_zero_in_the_network_and_takes_no_bytes_in_the_buffer():
    mask = np.zeros(LAYOUT.n_bits, bool)
    mask[[1, 2, 8]] = True  # two entries of conv1.weight, one of conv2.weight
    weights = random_weights(NETWORK, 2)
    entries = entries_of(LAYOUT, weights, mask)
    floats, counters = 3 + 2 * 3, 2  # kept; running means and variances; batches tracked
    assert LAYOUT.n_bytes(mask) == 4 * floats + 8 * counters == len(pack(LAYOUT, entries))
    whole = network_of(LAYOUT, entries).tensors
    first = weights.tensors["conv1.weight"].reshape(-1)
    assert whole["conv1.weight"].reshape(-1).tolist() == [0, first[1], first[2], 0]
    assert whole["conv2.weight"].reshape(-1)[1] == 0
    assert whole["bn1.running_var"].tolist() == weights.tensors["bn1.running_var"].tolist()


def test_unpack_inverts_pack():
    mask = half()
    entries = entries_of(LAYOUT, random_weights(NETWORK, 3), mask)
    back = unpack(LAYOUT, mask, pack(LAYOUT, entries))
    for name, array in entries.tensors.items():
        assert back.tensors[name].tolist() == array.tolist()


def test_the_average_of_an_entry_is_over_its_retainers():
    masks = {"a": [1, 1, 0, 0], "b": [1, 0, 1, 0]}
    members = {}
    for value, (peer, bits) in enumerate(masks.items(), start=1):
        mask = LAYOUT.full_mask()
        mask[:4] = bits
        members[peer] = entries_of(LAYOUT, constant(NETWORK, value), mask)
    average, union = aggregate(LAYOUT, members)
    assert average.tensors["conv1.weight"].tolist() == [1.5, 1, 2, 0]
    assert union[:4].tolist() == [True, True, True, False]


def test_the_digest_differs_from_that_of_the_layout_by_channels():
    assert LAYOUT.digest != NETWORK.digest
    assert LAYOUT.digest == entrywise(plain(a=2, b=1, classes=2)).digest
    assert LAYOUT.digest != entrywise(plain(a=3, b=1, classes=2)).digest
