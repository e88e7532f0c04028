import errno
import os
from pathlib import Path

import pytest
from tiny_layouts import one_layer, random_weights, same

from prisam_p2p.measure.files import path_beside, write_whole, written_beside
from prisam_p2p.peer.state import Progress, load_state, save_state

LAYOUT = one_layer()


def progress(rounds_done):
    return Progress(
        rounds_done=rounds_done,
        incarnation=0,
        prune_ratio=0.5,
        affinity={"a": (1.5, 2)},
        validations=[0.25],
        layout=LAYOUT.digest.hex(),
    )


def test_what_was_saved_is_loaded(tmp_path):
    weights, path = random_weights(LAYOUT, seed=1), tmp_path / "p00.safetensors"
    save_state(path, weights, progress(3))
    loaded, told = load_state(path, LAYOUT)
    assert same(loaded, weights)
    assert told == progress(3)


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
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


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
