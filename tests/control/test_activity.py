"""The board's slots: bytes that stay what they are, both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.control.activity import Activity, BoardLayout, Slot, bits_of, places_of

NINE = BoardLayout(9)
PULLING = Slot(
    progress=0x0102, round_index=3, activity=Activity.PULLING, until_s=2.5, waits_for=b"\x81\x01"
)
GOLDEN = bytes.fromhex(
    "0201000000000000"  # progress
    "04000000"  # round 3, counted from 1
    "09000000"  # pulling
    "0000000000000440"  # 2.5
    "8101"  # places 0, 7 and 8
).ljust(64, b"\0")


def test_a_slot_is_these_bytes():
    assert NINE.encode(PULLING) == GOLDEN
    assert NINE.decode(GOLDEN) == PULLING


def test_fresh_memory_is_a_peer_that_starts():
    assert NINE.decode(bytes(64)) == Slot()
    assert NINE.encode(Slot()) == bytes(64)
    assert (Slot().activity, Slot().round_index) == (Activity.STARTING, -1)


@pytest.mark.parametrize(
    ("n_peers", "slot_bytes"), [(1, 64), (9, 64), (320, 64), (321, 128), (833, 192)]
)
def test_slots_have_room_for_a_bit_of_each_peer_in_whole_cache_lines(n_peers, slot_bytes):
    layout = BoardLayout(n_peers)
    assert (layout.slot_bytes, layout.n_bytes) == (slot_bytes, n_peers * slot_bytes)
    assert layout.part(n_peers - 1) == slice(layout.n_bytes - slot_bytes, layout.n_bytes)
    everyone = Slot(waits_for=bits_of(range(n_peers)))
    assert places_of(layout.decode(layout.encode(everyone)).waits_for) == [*range(n_peers)]


def test_a_place_that_is_not_on_the_board_is_refused():
    with pytest.raises(ValueError, match="3 bytes of places: at most 2"):
        NINE.encode(Slot(waits_for=bits_of([16])))


def test_an_activity_of_another_release_is_refused():
    with pytest.raises(ValueError, match="99"):
        NINE.decode(GOLDEN[:12] + b"\x63" + GOLDEN[13:])


def test_numbers_and_words_of_activities_are_their_own():
    assert [*map(int, Activity)] == [*range(21)]
    assert len({activity.words for activity in Activity}) == len(Activity)


@given(st.sets(st.integers(0, 2000)))
def test_places_survive(places):
    assert places_of(bits_of(places)) == sorted(places)
