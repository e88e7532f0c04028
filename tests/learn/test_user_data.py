"""Data sets and splits of users' code."""

import re

import numpy as np
import pytest
import torch

from prisam_p2p.errors import ConfigError
from prisam_p2p.extensions.loading import load
from prisam_p2p.extensions.reference import CodeKind
from prisam_p2p.learn.dataset_code import dataset_from_code
from prisam_p2p.learn.shared_data import open_shared, share
from prisam_p2p.learn.split_code import Share, split_from_code

LABELS = np.arange(60) % 3
ROWS = np.arange(60 * 5, dtype=np.float64).reshape(60, 5)
PEERS = ("p00", "p01", "p02")


def dataset(train, test=None, data_dir=None):
    return dataset_from_code(lambda _: (train, test or train), "./mine.py:data", data_dir)


def test_rows_are_taken_as_they_are():
    found = dataset((ROWS, LABELS))
    assert (found.image_shape, found.dtype, found.n_classes) == ((5,), "float32", 3)
    assert found.mean == ()
    assert np.array_equal(found.images("train", [2, 0]), ROWS[[2, 0]].astype(np.float32))


def test_indices_stay_integers():
    found = dataset((np.full((60, 4), 7, np.int32), LABELS))
    assert (found.image_shape, found.dtype) == ((4,), "int64")
    assert found.images("test", [0]).dtype == np.int64


def test_images_of_bytes_are_normalized_per_channel():
    pixels = np.random.default_rng(0).integers(0, 256, (60, 6, 6, 3), np.uint8)
    found = dataset((pixels, LABELS))
    assert (found.image_shape, found.dtype) == ((3, 6, 6), "float32")
    images = found.images("train", np.arange(60))
    assert np.allclose(images.mean((0, 2, 3)), 0, atol=1e-5)
    assert np.allclose(images.std((0, 2, 3)), 1, atol=1e-5)


def test_tensors_and_lists_are_arrays():
    tensors = (torch.from_numpy(ROWS), torch.from_numpy(LABELS))
    found = dataset(tensors, (ROWS.tolist(), list(LABELS)))
    assert found.image_shape == (5,)


class Items(torch.utils.data.Dataset):
    def __len__(self):
        return 60

    def __getitem__(self, i):
        return torch.from_numpy(ROWS[i]), torch.tensor(int(LABELS[i]))


def test_a_torch_dataset_is_read():
    found = dataset(Items(), Items())
    assert np.array_equal(found.train_labels, LABELS)
    assert np.array_equal(found.images("train", [4]), ROWS[[4]].astype(np.float32))


def test_the_code_is_given_the_data_dir(tmp_path):
    given = []

    def data(data_dir):
        given.append(data_dir)
        return (ROWS, LABELS), (ROWS, LABELS)

    dataset_from_code(data, "x", tmp_path)
    assert given == [tmp_path]


def test_peers_share_what_the_code_gives():
    found = dataset((ROWS, LABELS))
    split = split_from_code(
        lambda labels, peers, rng: dict(zip(peers, np.array_split(np.arange(60), 3), strict=True)),
        "x",
        PEERS,
        found.train_labels,
        found.test_labels,
        3,
        6,
        np.random.default_rng(0),
    )
    shared, rows = share(found, split)
    inputs, labels = open_shared(shared)
    assert np.array_equal(inputs[rows["p01"].train], ROWS[split["p01"].train].astype(np.float32))
    assert np.array_equal(labels[rows["p01"].test], LABELS[split["p01"].test])
    shared.close()


WRONG = {
    "no parts": (lambda: (ROWS, LABELS, ROWS), r"returns two parts"),
    "a number": (lambda: 3, r"returns two parts"),
    "fails": (lambda: 1 / 0, r"test_user_data\.py, line \d+: ZeroDivisionError"),
    "names": (lambda: ((ROWS, LABELS.astype(str)),) * 2, r"labels that are integers.*<U"),
    "a gap": (lambda: ((ROWS, LABELS * 2),) * 2, r"labels = 'classes 0, 2, 4'"),
    "too few": (lambda: ((ROWS[:9], LABELS),) * 2, r"60 labels, 9 images"),
    "text": (lambda: ((ROWS.astype(str), LABELS),) * 2, r"numbers of shape"),
    "nan": (lambda: ((ROWS * np.nan, LABELS),) * 2, r"finite"),
    "flat": (lambda: ((LABELS, LABELS),) * 2, r"numbers of shape \(n, \.\.\.\)"),
    "unlike": (lambda: ((ROWS, LABELS), (ROWS[:, 1:], LABELS)), r"test inputs like those"),
    "a new class": (lambda: ((ROWS, LABELS), (ROWS, LABELS + 1)), r"labels from 0 to 2"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_data_set_that_breaks_a_rule_says_which(wrong):
    make, why = WRONG[wrong]
    with pytest.raises(ConfigError) as caught:
        dataset_from_code(lambda _: make(), "./mine.py:data", None)
    assert re.search(why, str(caught.value)), caught.value
    assert "mine.py:data" in str(caught.value)


def test_a_pandas_frame_is_an_array(monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)
    data = load(CodeKind.DATASET, "examples/table.py:wine_frame", "--dataset").value
    assert dataset_from_code(data, "x", None).image_shape == (13,)


def split(function, seed=0):
    rng = np.random.default_rng(seed)
    return split_from_code(function, "./mine.py:split", PEERS[::-1], LABELS, LABELS, 3, 6, rng)


def thirds(labels, peers, rng):
    return dict(zip(peers, np.array_split(rng.permutation(60), 3), strict=True))


def test_a_fifth_is_held_out_and_tests_have_the_same_mix():
    found = split(lambda labels, peers, rng: dict.fromkeys(peers, np.flatnonzero(labels < 2)))
    assert list(found) == list(PEERS)
    for data in found.values():
        assert (len(data.train), len(data.validation), len(data.test)) == (32, 8, 6)
        assert sorted({*data.train, *data.validation}) == np.flatnonzero(LABELS < 2).tolist()
        assert np.bincount(LABELS[data.validation]).tolist() == [4, 4]
        assert np.bincount(LABELS[data.test]).tolist() == [3, 3]
        assert data.group is None


def test_a_share_has_a_group():
    def own(labels, peers, rng):
        return {peer: Share(np.arange(20), i) for i, peer in enumerate(peers)}

    found = split(own)
    assert [data.group for data in found.values()] == [0, 1, 2]


def test_the_generator_decides():
    one, same, other = (split(thirds, seed)["p01"].train.tolist() for seed in (0, 0, 1))
    assert one == same != other


WRONG_SPLITS = {
    "a peer is missing": (lambda y, p, r: {"p00": np.arange(9)}, r"every peer \(p00, p01, p02\)"),
    "no mapping": (lambda y, p, r: [1, 2], r"returns a mapping"),
    "too few": (lambda y, p, r: dict.fromkeys(p, range(2)), r"at least 8 .*p00 has 2"),
    "twice": (lambda y, p, r: dict.fromkeys(p, (1,) * 9), r"distinct indices"),
    "no integers": (lambda y, p, r: dict.fromkeys(p, (0.5,) * 9), r"integers of shape"),
    "out of range": (lambda y, p, r: dict.fromkeys(p, np.arange(55, 65)), r"from 0 to 59; p00"),
    "one group": (
        lambda y, p, r: {**dict.fromkeys(p, np.arange(9)), "p00": Share(np.arange(9), 0)},
        r"for all peers, or for none",
    ),
    "fails": (lambda y, p, r: y["x"], r"test_user_data\.py, line \d+: IndexError"),
}


@pytest.mark.parametrize("wrong", WRONG_SPLITS)
def test_a_split_that_breaks_a_rule_says_which(wrong):
    function, why = WRONG_SPLITS[wrong]
    with pytest.raises(ConfigError) as caught:
        split(function)
    assert re.search(why, str(caught.value)), caught.value
    assert str(caught.value).startswith("--split = './mine.py:split': expected ")
