import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict

import numpy as np
import pytest
from small_files import files_of_at_most

from prisam_p2p.errors import ResourceError
from prisam_p2p.learn.dataset_pools import Dataset, array_pool
from prisam_p2p.learn.shared_data import SharedImages, open_shared, share
from prisam_p2p.learn.splits import PeerData

SHAPE = (2, 3, 3)
N_BYTES = 8 + 4 * 2 * 3 * 3


def dataset(n_train=700, n_test=30):
    """Labels number the images: 0, 1, .. for training images and 1000, 1001, .. for test images."""
    rng = np.random.default_rng(0)
    pools = [
        array_pool(rng.integers(0, 256, (n, *SHAPE), np.uint8), start + np.arange(n), 255)
        for n, start in ((n_train, 0), (n_test, 1000))
    ]
    return Dataset("numbers", 2000, SHAPE, *pools, mean=(0.5, 0.25), std=(0.25, 0.5))


def peer(train, validation, test):
    arrays = (np.array(x, np.int64) for x in (train, validation, test))
    return PeerData(*arrays, group=1)


SPLIT = {"p0": peer([1, 5, 9], [3], [0, 29]), "p1": peer([3, 5, 650], [7], [29])}


@pytest.fixture
def shared():
    handle, rows = share(dataset(), SPLIT)
    yield handle, rows
    handle.close()


def test_the_indices_of_every_peer_select_its_images_and_labels(shared):
    handle, rows = shared
    images, labels = open_shared(handle)
    source = dataset()
    for name, data in SPLIT.items():
        assert rows[name].group == data.group
        for part, pool in (("train", "train"), ("validation", "train"), ("test", "test")):
            wanted, at = getattr(data, part), getattr(rows[name], part)
            assert np.array_equal(images[at], source.images(pool, wanted))
            assert labels[at].tolist() == (wanted + (1000 if pool == "test" else 0)).tolist()


def test_a_full_folder_for_temporary_files_is_named():
    told = f"^{tempfile.gettempdir()}: File too large; free space there, or set TMPDIR"
    with files_of_at_most(4 * N_BYTES), pytest.raises(ResourceError, match=told):
        share(dataset(), SPLIT)


def test_an_image_of_several_peers_is_stored_once(shared):
    handle, _ = shared
    assert handle.n_images == 6 + 2
    assert os.fstat(handle.fd).st_size == 8 * N_BYTES


def test_more_images_than_one_block_are_shared():
    everything = {"p0": peer(range(699), [699], range(30))}
    handle, rows = share(dataset(), everything)
    images, labels = open_shared(handle)
    handle.close()
    assert np.array_equal(images[rows["p0"].test], dataset().images("test", range(30)))
    assert labels[:700].tolist() == list(range(700))


def test_the_arrays_are_read_only_and_valid_after_close():
    handle, _ = share(dataset(), SPLIT)
    images, labels = open_shared(handle)
    handle.close()
    assert labels[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        labels[0] = 0


def test_the_shared_file_has_no_name(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    handle, _ = share(dataset(), SPLIT)
    assert os.fstat(handle.fd).st_nlink == 0
    assert list(tmp_path.iterdir()) == []
    handle.close()


def test_a_forked_child_reads_the_same_pixels(shared):
    handle, _ = shared
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, checksum(handle).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        assert pipe.read().decode() == checksum(handle)


CHILD = """
import json, sys
import numpy as np
from prisam_p2p.learn.shared_data import SharedImages, open_shared
images, labels = open_shared(SharedImages(**json.loads(sys.argv[1])))
print(images.sum(dtype=np.float64).hex(), labels.sum(), end="")
"""


def test_a_spawned_child_reads_the_same_pixels_by_the_reference(shared):
    handle, _ = shared
    command = [sys.executable, "-c", CHILD, json.dumps(asdict(handle))]
    child = subprocess.run(
        command, pass_fds=[handle.fd], capture_output=True, text=True, check=True
    )
    assert child.stdout == checksum(handle)


def checksum(handle):
    images, labels = open_shared(handle)
    return f"{images.sum(dtype=np.float64).hex()} {labels.sum()}"


def test_a_descriptor_of_another_file_is_a_value_error(shared):
    handle, _ = shared
    with pytest.raises(ValueError, match=f"has {8 * N_BYTES} bytes"):
        open_shared(SharedImages(handle.fd, handle.n_images + 1, SHAPE))
