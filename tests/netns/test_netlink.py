"""Netlink attributes, byte for byte."""

from prisam_p2p.netns import netlink


def test_attributes_are_padded_and_parsed_again():
    encoded = netlink.text(2, "in") + netlink.be32(7, 5) + netlink.nested(4, netlink.be32(1, 6))
    assert encoded[:8].hex() == "07000200696e0000"
    found = netlink.attributes(encoded)
    assert found[2] == b"in\0"
    assert found[7] == bytes([0, 0, 0, 5])
    assert netlink.attributes(found[4]) == {1: bytes([0, 0, 0, 6])}


def test_parsing_ends_at_a_truncated_attribute():
    assert netlink.attributes(netlink.be32(1, 5) + b"\x09\x00\x02\x00x") == {1: bytes([0, 0, 0, 5])}
    assert netlink.attributes(b"\x00\x00\x02\x00") == {}
