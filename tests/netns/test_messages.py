"""Messages to netfilter, byte for byte; and what is read from it."""

import pytest

from prisam_p2p.netns import netlink, nft
from prisam_p2p.netns import nfqueue as queues

PACKET = bytes.fromhex(
    "400000000003000000000000000000000200" + "0005" + "0b000100" + "00000102" + "0800010008000500"
)


def test_a_packet_is_known_by_its_queue_and_number():
    assert queues.packet_of(PACKET) == (5, 0x102)


@pytest.mark.parametrize("datagram", [b"", PACKET[:27], PACKET[:4] + b"\x02" + PACKET[5:]])
def test_what_tells_of_no_packet_is_none(datagram):
    assert queues.packet_of(datagram) is None


def test_the_verdict_that_lets_packets_in():
    expected = "20000000030301000000000000000000000000090c0002000000000100000102"
    assert queues.let_in(9, 0x102).hex() == expected


def test_an_attribute_is_padded_and_read_back():
    one = netlink.text(2, "in") + netlink.be32(7, 5) + netlink.nested(4, netlink.be32(1, 6))
    assert one[:8].hex() == "07000200696e0000"
    found = netlink.attributes(one)
    assert found[2] == b"in\0"
    assert found[7] == bytes([0, 0, 0, 5])
    assert netlink.attributes(found[4]) == {1: bytes([0, 0, 0, 6])}


def test_attributes_that_are_cut_off_end_the_reading():
    assert netlink.attributes(netlink.be32(1, 5) + b"\x09\x00\x02\x00x") == {1: bytes([0, 0, 0, 5])}
    assert netlink.attributes(b"\x00\x00\x02\x00") == {}


@pytest.mark.parametrize(("chance", "limit"), [(0.0, 0), (0.5, 1 << 30), (1.0, 1 << 31)])
def test_a_chance_is_a_share_of_two_to_the_31(chance, limit):
    assert nft.by_chance(chance).endswith(limit.to_bytes(4, "big"))
