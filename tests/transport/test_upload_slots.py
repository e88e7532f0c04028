from prisam_p2p.transport.upload_slots import UploadSlots

A, B, C = b"a", b"b", b"c"


def test_so_many_have_a_place_and_no_more():
    slots = UploadSlots(2)
    assert [slots.take(who, 0.0, 5.0) for who in (A, B, C)] == [True, True, False]


def test_who_has_a_place_may_take_it_again():
    slots = UploadSlots(1)
    assert slots.take(A, 0.0, 2.0)
    assert slots.take(A, 1.0, 2.0)
    assert not slots.take(B, 2.5, 2.0)  # the first was until 2.0, the second is until 3.0


def test_a_place_that_was_given_back_is_free():
    slots = UploadSlots(1)
    slots.take(A, 0.0, 5.0)
    slots.free(B)  # had none
    assert not slots.take(B, 0.0, 5.0)
    slots.free(A)
    assert slots.take(B, 0.0, 5.0)


def test_a_place_that_is_not_used_falls_free_at_its_time():
    slots = UploadSlots(1)
    slots.take(A, 10.0, 2.0)
    assert not slots.take(B, 11.99, 2.0)
    assert slots.take(B, 12.0, 2.0)
    assert not slots.take(A, 13.0, 2.0)  # and is another's now


def test_a_renewal_may_be_for_a_shorter_time():
    slots = UploadSlots(1)
    slots.take(A, 0.0, 60.0)
    slots.take(A, 1.0, 2.0)
    assert slots.take(B, 3.0, 2.0)


def test_who_was_told_to_wait_holds_nothing():
    slots = UploadSlots(1)
    slots.take(A, 0.0, 5.0)
    slots.take(B, 0.0, 5.0)
    slots.free(A)
    assert slots.take(C, 0.0, 5.0)
