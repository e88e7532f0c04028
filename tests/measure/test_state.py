import errno
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_layouts import one_layer, random_weights, same

from prisam_p2p.errors import ConfigError
from prisam_p2p.measure.files import path_beside, write_whole, written_beside
from prisam_p2p.measure.state import (
    Progress,
    earlier_states,
    go_back_to,
    is_earlier,
    kept_states,
    load_memory,
    load_state,
    save_state,
    surplus_rounds,
)

LAYOUT = one_layer()


def progress(rounds_done, layout=LAYOUT):
    return Progress(
        rounds_done=rounds_done,
        incarnation=0,
        prune_ratio=0.5,
        affinity={"a": (1.5, 2)},
        validations=[0.25],
        layout=layout.digest.hex(),
    )


def test_what_was_saved_is_loaded(tmp_path):
    weights, path = random_weights(LAYOUT, seed=1), tmp_path / "p00.safetensors"
    save_state(path, weights, progress(3))
    loaded, told = load_state(path, LAYOUT)
    assert same(loaded, weights)
    assert told == progress(3)


def test_the_memory_of_an_algorithm_is_kept_beside(tmp_path):
    path, memory = tmp_path / "p00.safetensors", {"velocity": np.arange(3.0), "n": np.array(7)}
    save_state(path, random_weights(LAYOUT), progress(3), memory)
    loaded = load_memory(path)
    assert loaded.keys() == memory.keys()
    assert np.array_equal(loaded["velocity"], memory["velocity"])
    assert loaded["n"] == 7
    assert same(load_state(path, LAYOUT)[0], random_weights(LAYOUT))
    save_state(path, random_weights(LAYOUT), progress(4))
    assert load_memory(path) == {}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_on_a_full_disk_the_state_before_stays_whole(tmp_path):
    path, before = tmp_path / "p00.safetensors", random_weights(LAYOUT, seed=1)
    save_state(path, before, progress(3))
    beside = path_beside(path, os.getpid())
    beside.symlink_to("/dev/full")
    for _ in range(2):  # it stays full
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            save_state(path, random_weights(LAYOUT, seed=2), progress(4))
        assert same(load_state(path, LAYOUT)[0], before)
    beside.unlink()
    save_state(path, random_weights(LAYOUT, seed=2), progress(4))
    assert load_state(path, LAYOUT)[1].rounds_done == 4
    assert sorted(tmp_path.iterdir()) == sorted(kept_states(path).values())


def write_half_and_fail(path):
    with written_beside(path) as beside:
        beside.write_text("half")
        assert path.read_text() == "old"
        raise RuntimeError("in between")


def test_a_part_is_never_seen_and_never_left(tmp_path):
    path = tmp_path / "x.txt"
    write_whole(path, "old")
    with pytest.raises(RuntimeError, match="in between"):
        write_half_and_fail(path)
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["x.txt"]


def weights(seed):
    return random_weights(LAYOUT, seed, np.arange(LAYOUT.n_bits) % 2 == seed % 2)


def test_the_last_two_states_are_kept(tmp_path):
    path = tmp_path / "p01.safetensors"
    assert kept_states(path) == {}
    for t in range(1, 5):
        save_state(path, weights(t), progress(t))
        assert sorted(kept_states(path)) == [t - 1, t][t == 1 :]
    for t, file in kept_states(path).items():
        loaded, numbers = load_state(file, LAYOUT)
        assert same(loaded, weights(t))
        assert numbers == progress(t)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_round_that_was_done_again_replaces_what_it_led_to_before(tmp_path):
    path = tmp_path / "p01.safetensors"
    for seed in (1, 2):
        save_state(path, weights(seed), progress(3))
    assert same(load_state(kept_states(path)[3], LAYOUT)[0], weights(2))


def test_a_state_of_another_network_is_refused(tmp_path):
    path, other = tmp_path / "p01.safetensors", one_layer(channels=6)
    save_state(path, weights(1), progress(3))
    with pytest.raises(ConfigError, match="layout"):
        load_state(path, other)


@pytest.mark.parametrize("content", [b"", b"no tensors at all", b"\xff" * 64])
def test_what_is_no_state_is_refused(tmp_path, content):
    path = tmp_path / "p01.safetensors"
    path.write_bytes(content)
    for read in (lambda: load_state(path, LAYOUT), lambda: kept_states(path)):
        with pytest.raises(ConfigError, match=r"p01\.safetensors"):
            read()


def test_of_a_peer_on_another_host_earlier_states_are_kept_for_its_agent(tmp_path):
    path = tmp_path / "p01.safetensors"
    for t in range(1, 15):
        save_state(path, weights(t), progress(t), earlier=10)
    assert sorted(kept_states(path)) == list(range(3, 15))
    assert [is_earlier(each) for each in earlier_states(path)] == [True] * 10
    assert earlier_states(path)[-1].name == "p01.before-12.safetensors"
    assert not is_earlier(path)
    assert not is_earlier(kept_states(path)[13])


def test_of_a_peer_that_is_collected_late_the_first_state_and_some_others_are_kept_too(tmp_path):
    path = tmp_path / "p01.safetensors"
    for t in range(1, 41):
        save_state(path, weights(t), progress(t), earlier=4, sparse=4)
    assert sorted(kept_states(path)) == [1, 16, 32, 34, 35, 36, 37, 38, 39, 40]


@given(st.sets(st.integers(1, 400)), st.integers(0, 9), st.integers(0, 9))
def test_of_the_old_states_few_are_kept_and_the_first(rounds, dense, sparse):
    kept = sorted(rounds - surplus_rounds(rounds, dense, sparse))
    recent = sorted(rounds)[max(0, len(rounds) - dense) :]
    assert kept[len(kept) - len(recent) :] == recent
    assert len(kept) <= dense + sparse
    if rounds and sparse:
        assert kept[0] == min(rounds)


def test_a_peer_without_a_state_of_the_round_goes_back_to_the_one_before(tmp_path):
    path = tmp_path / "p01.safetensors"
    for t in (1, 2, 3, 7):
        save_state(path, weights(t), progress(t), earlier=8)
    go_back_to(path, 5)
    assert load_state(path, LAYOUT)[1].rounds_done == 3
    assert set(kept_states(path)) == {1, 2, 3}
    go_back_to(path, 7)  # none is later, nothing to do
    assert set(kept_states(path)) == {1, 2, 3}
    save_state(path, weights(4), progress(4), earlier=8)
    assert set(kept_states(path)) == {1, 2, 3, 4}


def test_a_run_that_goes_back_to_w0_forgets_all_states(tmp_path):
    path = tmp_path / "p01.safetensors"
    for t in (1, 2, 3):
        save_state(path, weights(t), progress(t), earlier=8)
    go_back_to(path, 0)
    assert kept_states(path) == {}
