"""The messages of netfilter queues, byte for byte."""

import pytest

from prisam_p2p.netns import nfqueue

PACKET = bytes.fromhex(
    "400000000003000000000000000000000200" + "0005" + "0b000100" + "00000102" + "0800010008000500"
)


def test_a_packet_has_a_queue_and_a_number():
    assert nfqueue.packet_of(PACKET) == (5, 0x102)


@pytest.mark.parametrize("datagram", [b"", PACKET[:27], PACKET[:4] + b"\x02" + PACKET[5:]])
def test_a_datagram_that_reports_no_packet_is_none(datagram):
    assert nfqueue.packet_of(datagram) is None


def test_the_verdict_accepts_packets_up_to_a_number():
    expected = "20000000030301000000000000000000000000090c0002000000000100000102"
    assert nfqueue.accept_up_to(9, 0x102).hex() == expected
