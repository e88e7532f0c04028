"""States that come from hosts: which are kept, and that all peers always have a round in common."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_layouts import one_layer, random_weights, same

from prisam_p2p.errors import ConfigError
from prisam_p2p.launch.past import first_rounds, out_of_step
from prisam_p2p.measure.collected_states import CollectedStates, common_round
from prisam_p2p.measure.state import (
    MOST_EARLIER,
    MOST_SPARSE,
    Progress,
    earlier_states,
    kept_states,
    load_state,
    save_state,
    surplus_rounds,
)

LAYOUT = one_layer()
MOST = MOST_EARLIER + MOST_SPARSE + 2


class Collected:
    """What a launcher has of peers."""

    def __init__(self, folder, *peers):
        self.folder, self.states = folder, CollectedStates(folder)
        self.states.expect(peers)

    def arrive(self, peer, rounds_done, name="", course=0):
        """A state of a round comes from a host; return its peer's rounds."""
        arrived = self.folder / ".part"
        progress = Progress(
            rounds_done=rounds_done,
            incarnation=course,
            prune_ratio=0.5,
            affinity={},
            validations=[],
            layout=LAYOUT.digest.hex(),
        )
        save_state(arrived, random_weights(LAYOUT, seed=rounds_done), progress)
        self.states.place(arrived, self.folder / f"{peer}{name}.safetensors")
        assert not arrived.exists()
        return self.rounds(peer)

    def path(self, peer):
        return self.folder / f"{peer}.safetensors"

    def rounds(self, peer):
        return sorted(kept_states(self.path(peer)))


def test_states_are_kept_until_all_peers_have_one_of_a_later_round(tmp_path):
    launcher = Collected(tmp_path, "a", "b")
    for t in (1, 2, 3, 4):
        launcher.arrive("a", t)
    assert launcher.rounds("a") == [1, 2, 3, 4]
    names = [each.name for each in earlier_states(launcher.path("a"))]
    assert names == ["a.before-1.safetensors", "a.before-2.safetensors"]
    launcher.arrive("b", 1)
    launcher.arrive("b", 3)
    assert launcher.rounds("b") == [1, 3]  # of every peer the last two are kept
    assert launcher.arrive("a", 5) == [3, 4, 5]
    for t, file in kept_states(launcher.path("a")).items():
        assert same(load_state(file, LAYOUT)[0], random_weights(LAYOUT, seed=t))


def test_states_that_come_in_another_order_are_in_theirs(tmp_path):
    launcher = Collected(tmp_path, "a", "b")
    launcher.arrive("a", 8)
    for name, t in ((".before-10", 10), (".before-9", 9), (".before", 11)):
        launcher.arrive("a", t, name)
    assert launcher.arrive("a", 12) == [8, 9, 10, 11, 12]
    assert load_state(launcher.path("a"), LAYOUT)[1].rounds_done == 12
    assert load_state(tmp_path / "a.before.safetensors", LAYOUT)[1].rounds_done == 11


def test_states_of_a_course_that_a_peer_has_left_go(tmp_path):
    """It was started again with the state of an earlier round."""
    launcher = Collected(tmp_path, "a", "b")
    for t in (1, 2, 3, 4, 5):
        launcher.arrive("a", t)
    assert launcher.arrive("a", 3, course=1) == [1, 2, 3]
    assert load_state(launcher.path("a"), LAYOUT)[1].incarnation == 1


def test_what_an_earlier_launcher_had_counts(tmp_path):
    before = Collected(tmp_path, "a", "b")
    for peer in "ab":
        before.arrive(peer, 1)
        before.arrive(peer, 2)
    launcher = Collected(tmp_path, "a", "b")
    assert launcher.arrive("a", 3) == [2, 3]
    assert launcher.arrive("b", 3) == [2, 3]


def test_a_peer_that_is_gone_for_good_holds_no_states_of_the_others(tmp_path):
    launcher = Collected(tmp_path, "a", "b", "c")
    for peer in "abc":
        launcher.arrive(peer, 1)
    for t in range(2, 50):
        for peer in "ab":
            launcher.arrive(peer, t)
    assert launcher.rounds("a")[0] == 1
    launcher.states.go_on_without(["c"])
    for peer in "ab":
        launcher.arrive(peer, 50)
    assert launcher.rounds("b") == [49, 50]
    assert launcher.arrive("c", 2) == [1, 2]  # it was on its way, and is the last that c has
    kept = {peer: launcher.rounds(peer) for peer in "abc"}
    assert first_rounds(kept, 1000) == {"a": 50, "b": 50, "c": 50}
    launcher.states.go_on_without([])  # it has come back after all, and is a round behind
    assert launcher.arrive("c", 49) == [2, 49]
    for t in (51, 52):
        for peer in "ab":
            launcher.arrive(peer, t)
    assert launcher.rounds("b") == [49, 50, 51, 52]


def test_what_is_no_state_is_not_put_in_its_place(tmp_path):
    launcher = Collected(tmp_path, "a")
    launcher.arrive("a", 1)
    (tmp_path / ".part").write_bytes(b"no state")
    with pytest.raises(ConfigError, match="expected the state of a peer of this run"):
        launcher.states.place(tmp_path / ".part", launcher.path("a"))
    assert launcher.rounds("a") == [1]


def test_peers_without_states_have_w0_in_common():
    assert common_round([]) == common_round([(), {1, 2}]) == 0
    assert common_round([{2, 3}, {3, 4}]) == 3
    assert common_round([{2, 3}, {5}]) == 0


PEERS = "abc"
STEPS = st.lists(st.tuples(st.sampled_from(PEERS), st.integers(1, 12), st.booleans()), max_size=40)


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_whenever_a_launcher_is_killed_all_peers_have_a_round_in_common(steps):
    """Peers train some rounds, or their hosts send some states, the oldest first."""
    with tempfile.TemporaryDirectory() as folder:
        launcher, done = Collected(Path(folder), *PEERS), dict.fromkeys(PEERS, 0)
        unsent: dict[str, list[int]] = {peer: [] for peer in PEERS}
        for peer, n, trains in steps:
            for _ in range(n):
                if trains:
                    done[peer] += 1
                    mine = [*unsent[peer], done[peer]]
                    surplus = surplus_rounds(mine[:-2], MOST_EARLIER, MOST_SPARSE)
                    unsent[peer] = [t for t in mine if t not in surplus]
                elif unsent[peer]:
                    launcher.arrive(peer, unsent[peer].pop(0))
            kept = {each: launcher.rounds(each) for each in PEERS}
            begins = first_rounds(kept, 1000)
            assert len({*begins.values()}) == 1
            assert out_of_step(kept, begins) == []
            assert max(map(len, kept.values())) <= MOST
