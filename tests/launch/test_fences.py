"""When the fence around a lost host's peers stands: all have answered, or have had their time."""

from prisam_p2p.launch.fences import FENCE_TIMEOUT_S, HostFence


def nobody(_peer):
    return False


def fence_of(least, **neighbors):
    return HostFence(least, neighbors, now_s=100.0)


def test_it_stands_when_every_neighbor_has_answered_for_every_peer():
    fence = fence_of({"p1": 1, "p2": 4}, p1="ab", p2="b")
    assert not fence.look(nobody, 100.0)
    fence.answered_by("a", "p1", 1)
    fence.answered_by("b", "p1", 1)
    assert not fence.look(nobody, 100.1)
    assert fence.unanswered == ["b"]
    fence.answered_by("b", "p2", 4)
    assert fence.look(nobody, 100.2)
    assert fence.stands
    assert (fence.answered, fence.unanswered) == (["a", "b"], [])
    assert not fence.look(nobody, 100.3)  # told once


def test_neighbor_that_is_gone_is_not_waited_for():
    fence = fence_of({"p1": 1}, p1="abc")
    fence.answered_by("a", "p1", 1)
    assert not fence.look(lambda peer: peer == "b", 100.0)
    fence.answered_by("c", "p1", 1)
    assert fence.look(nobody, 100.1)  # b has another process by now, which is told when it is up
    assert (fence.answered, fence.unanswered) == (["a", "c"], [])


def test_neighbor_that_does_not_answer_is_named_and_left_behind():
    fence = fence_of({"p1": 1}, p1="ab")
    fence.answered_by("a", "p1", 1)
    assert not fence.look(nobody, 100.0 + FENCE_TIMEOUT_S - 0.1)
    assert fence.look(nobody, 100.0 + FENCE_TIMEOUT_S)
    assert (fence.answered, fence.unanswered) == (["a"], ["b"])


def test_peer_without_neighbors_needs_no_fence():
    assert fence_of({"p1": 1}, p1=()).look(nobody, 100.0)


def test_answers_to_another_fence_do_not_count():
    fence = fence_of({"p1": 3}, p1="a")
    fence.answered_by("a", "p1", 2)
    fence.answered_by("a", "p9", 3)
    fence.answered_by("z", "p1", 3)
    assert not fence.look(nobody, 100.0)
