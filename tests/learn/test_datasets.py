import gzip
import socket
import struct
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from prisam_p2p.errors import ConfigError
from prisam_p2p.learn import dataset_digits, dataset_torchvision, torchvision_shim
from prisam_p2p.learn.dataset_idx import read_idx
from prisam_p2p.learn.datasets import load_dataset

FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")


def load(name, data_dir=None, download=False, image_size=None):
    return load_dataset(str(name), data_dir, download, image_size)


def refusal(name, data_dir=None, **options):
    """Return the message of the ConfigError that `load` raises; it must be one line."""
    with pytest.raises(ConfigError) as caught:
        load(name, data_dir, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


# digits


def test_half_of_each_class_of_digits_is_in_each_pool():
    digits = load("digits")
    assert (digits.n_classes, digits.image_shape) == (10, (1, 8, 8))
    train, test = np.bincount(digits.train_labels), np.bincount(digits.test_labels)
    assert train.sum() + test.sum() == 1797
    assert set(train - test) <= {0, 1}


def test_digits_are_normalized_and_loading_them_is_deterministic():
    first, again = (load("digits").images("train", np.arange(901)) for _ in range(2))
    assert first.dtype == np.float32
    assert abs(first.mean()) < 1e-4
    assert abs(first.std() - 1) < 1e-4
    assert np.array_equal(first, again)


def test_digits_equal_scikit_learns_read_from_its_file_or_by_its_function(monkeypatch):
    from_file = dataset_digits._table()
    monkeypatch.setattr(dataset_digits, "find_spec", lambda name: None)
    assert np.array_equal(dataset_digits._table(), from_file)


def test_opening_digits_imports_neither_torch_nor_scikit_learn():
    code = (
        "import sys; from prisam_p2p.learn.datasets import load_dataset;"
        "load_dataset('digits', None, False, None).images('train', [0]);"
        "assert not {'torch', 'torchvision', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("size", [8, 12, 32])
def test_image_size_resizes(size):
    digits = load("digits", image_size=size)
    assert digits.image_shape == (1, size, size)
    images = digits.images("test", [3, 1, 4])
    assert images.shape == (3, 1, size, size)
    same_size = load("digits").images("test", [3, 1, 4])
    assert np.allclose(images.mean(axis=(2, 3)), same_size.mean(axis=(2, 3)), atol=0.15)


def test_no_indices_give_no_images():
    assert load("digits", image_size=12).images("test", []).shape == (0, 1, 12, 12)


@pytest.mark.parametrize(
    ("name", "nearest"), [("digit", "digits?"), ("CIFAR-10", "cifar10?"), ("zzz", "one of digits")]
)
def test_an_unknown_name_is_refused_with_the_nearest_one(name, nearest):
    assert f"--dataset = {name!r}: expected {nearest}" in refusal(name)


# .npz


def arrays(**changes):
    labels = np.array([0, 1, 2, 2])
    pixels = np.arange(4 * 6 * 5 * 3, dtype=np.uint8).reshape(4, 6, 5, 3)
    return {"x_train": pixels, "y_train": labels, "x_test": pixels, "y_test": labels} | changes


def npz(tmp_path, **changes):
    file = tmp_path / "mine.npz"
    np.savez(file, **{key: value for key, value in arrays(**changes).items() if value is not None})
    return file


@pytest.mark.parametrize(
    ("shape", "image_shape", "channels_last"),
    [
        ((4, 6, 5), (1, 6, 5), False),
        ((4, 6, 5, 3), (3, 6, 5), True),
        ((4, 3, 6, 5), (3, 6, 5), False),
        ((4, 4, 4, 4), (4, 4, 4), True),  # a tie
        ((4, 3, 4, 4), (3, 4, 4), False),
        ((4, 1, 8, 8), (1, 8, 8), False),
        ((4, 8, 8, 1), (1, 8, 8), True),
    ],
)
def test_the_smaller_outer_axis_holds_the_channels(tmp_path, shape, image_shape, channels_last):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    dataset = load(npz(tmp_path, x_train=pixels, x_test=pixels))
    assert (dataset.n_classes, dataset.image_shape) == (3, image_shape)
    mean, std = (np.array(x)[:, None, None] for x in (dataset.mean, dataset.std))
    images = dataset.images("test", [2, 0]) * std + mean
    expected = pixels[[2, 0]].transpose(0, 3, 1, 2) if channels_last else pixels[[2, 0]]
    assert np.allclose(images, expected.reshape(2, *image_shape) / 255, atol=1e-5)


def test_bytes_and_floats_of_any_scale_give_the_same_images(tmp_path):
    pixels = arrays()["x_train"]
    as_bytes = load(npz(tmp_path)).images("train", [0, 3])
    floats = pixels.astype(np.float64) * 7 - 2
    as_floats = load(npz(tmp_path, x_train=floats, x_test=floats)).images("train", [0, 3])
    assert np.allclose(as_bytes, as_floats, atol=1e-4)


def test_a_constant_channel_stays_finite(tmp_path):
    flat = np.zeros((4, 5, 5), np.uint8)
    images = load(npz(tmp_path, x_train=flat, x_test=flat)).images("train", [0])
    assert np.isfinite(images).all()


def test_labels_may_be_a_column(tmp_path):
    assert load(npz(tmp_path, y_train=np.array([[0], [1], [2], [2]]))).train_labels.ndim == 1


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"y_test": None}, "y_test = 'absent; found x_train, y_train, x_test'"),
        ({"y_train": np.array([1, 2, 3, 3])}, "y_train = 'classes 1, 2, 3': expected classes 0"),
        ({"y_train": np.array([0, 0, 2, 2])}, "y_train = 'classes 0, 2'"),
        ({"y_train": np.zeros(4, int)}, "two or more"),
        ({"y_train": np.array([0.0, 1, 2, 2])}, "expected integers of shape"),
        ({"y_train": np.eye(4, 3, dtype=int)}, "expected integers of shape"),
        ({"y_test": np.array([0, 1, 2, 3])}, "y_test = 3: expected labels from 0 to 2"),
        ({"y_test": np.array([0, 1, 2, -1])}, "y_test = -1"),
        ({"y_test": np.array([0, 1])}, "'2 labels, 4 images': expected one label for each"),
        ({"x_test": np.zeros((0, 6, 5, 3)), "y_test": np.zeros(0, int)}, "at least one"),
        ({"x_test": np.zeros((4, 6, 6, 3))}, r"x_test = 'images \(3, 6, 6\)': .*\(3, 6, 5\)"),
        ({"x_train": np.zeros((4, 90))}, r"float64 of shape \(4, 90\)"),
        ({"x_train": np.zeros((4, 6, 5, 3), np.int64)}, "expected uint8 or float"),
        ({"x_train": np.full((4, 6, 5, 3), np.nan)}, "NaN or infinity"),
        ({"x_train": np.array([{}], object)}, "without pickle"),
    ],
)
def test_an_npz_file_that_breaks_a_rule_is_refused(tmp_path, changes, why):
    file = npz(tmp_path, **changes)
    with pytest.raises(ConfigError, match=why) as caught:
        load(file)
    assert str(caught.value).startswith(str(file))


def test_a_file_that_is_not_npz_is_refused(tmp_path):
    file = tmp_path / "mine.npz"
    assert "--dataset" in refusal(file)
    for content in (b"", b"hello", b"PK\x03\x04 cut"):
        file.write_bytes(content)
        assert f"{file} = 'not a zip archive'" in refusal(file)


def test_a_damaged_npz_is_refused(tmp_path):
    file = npz(tmp_path)
    content = bytearray(file.read_bytes())
    content[300] ^= 0xFF  # inside the first array, so that its checksum fails
    file.write_bytes(content)
    assert f"{file}: x_train" in refusal(file)


# fashion-mnist


def idx(array):
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


def write_fashion(folder, end):
    """Write two training images and one test image, of constant gray 0, 51 and 255."""
    folder.mkdir(parents=True, exist_ok=True)
    pack = gzip.compress if end else bytes
    for prefix, grays, labels in (("train", [0, 51], [9, 0]), ("t10k", [255], [4])):
        images = np.repeat(grays, 28 * 28).reshape(-1, 28, 28)
        (folder / f"{prefix}-images-idx3-ubyte{end}").write_bytes(pack(idx(images)))
        (folder / f"{prefix}-labels-idx1-ubyte{end}").write_bytes(pack(idx(np.array(labels))))


@pytest.mark.parametrize("end", ["", ".gz"])
@pytest.mark.parametrize("folder", [".", "raw", "FashionMNIST/raw"])
def test_fashion_mnist_is_found_in_every_place_it_may_be(tmp_path, folder, end):
    write_fashion(tmp_path / folder, end)
    fashion = load("fashion-mnist", tmp_path)
    assert fashion.train_labels.tolist() == [9, 0]
    assert fashion.image_shape == (1, 28, 28)
    assert np.allclose(fashion.images("train", [1]), (0.2 - 0.2860) / 0.3530)
    assert np.allclose(fashion.images("test", [0]), (1 - 0.2860) / 0.3530)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("train-images-idx3-ubyte", b"", "a complete IDX file"),
        (
            "train-images-idx3-ubyte",
            b"\x00\x00\x0d\x01\x00\x00\x00\x01\x00",
            "starts with 00000d01",
        ),
        ("train-images-idx3-ubyte", idx(np.zeros((2, 28, 28)))[:-1], "cannot reshape"),
        ("train-images-idx3-ubyte", idx(np.zeros((2, 28, 28))) + b"x", "cannot reshape"),
        ("train-images-idx3-ubyte", idx(np.zeros((2, 8, 8))), r"expected shape \(n, 28, 28\)"),
        ("train-images-idx3-ubyte", idx(np.zeros((3, 28, 28))), "2 labels, 3 images"),
        ("train-labels-idx1-ubyte", idx(np.array([9, 10])), "10: expected labels from 0 to 9"),
    ],
)
def test_damaged_fashion_mnist_files_are_refused(tmp_path, name, content, why):
    write_fashion(tmp_path, "")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=why):
        load("fashion-mnist", tmp_path)


def test_a_truncated_gzip_file_is_named(tmp_path):
    file = tmp_path / "a.gz"
    file.write_bytes(gzip.compress(idx(np.arange(99)))[:-9])
    with pytest.raises(ConfigError, match=f"{file}.*a complete IDX file"):
        read_idx(file)


def test_nothing_is_downloaded_without_the_option(tmp_path):
    assert "t10k-images" in _after_removing(tmp_path, "t10k-images-idx3-ubyte")
    assert "or --download" in refusal("fashion-mnist", tmp_path)
    assert "--data-dir = None: expected the directory of fashion-mnist" in refusal("fashion-mnist")
    assert "existing directory" in refusal("fashion-mnist", tmp_path / "absent")


def _after_removing(folder, name):
    write_fashion(folder, "")
    (folder / name).unlink()
    return refusal("fashion-mnist", folder)


@pytest.mark.skipif(not FASHION_MNIST.is_dir(), reason=f"{FASHION_MNIST} is not on this machine")
def test_the_real_fashion_mnist_has_the_documented_moments():
    fashion = load("fashion-mnist", FASHION_MNIST)
    assert (len(fashion.train_labels), len(fashion.test_labels)) == (60_000, 10_000)
    images = fashion.images("train", np.arange(60_000))
    assert abs(images.mean(dtype=np.float64)) < 1e-3
    assert abs(images.std(dtype=np.float64) - 1) < 1e-3


# torchvision


@pytest.fixture
def fake_torchvision(monkeypatch, tmp_path):
    """A torchvision whose files exist once `downloaded` contains the name of the dataset."""
    downloaded = set()

    def dataset(name, channels_last, labels_name):
        def make(root, download, **part):
            if download:
                downloaded.add(name)
            if name not in downloaded:
                raise RuntimeError("Dataset not found or corrupted.")
            n = 3 if part in ({"train": True}, {"split": "train"}) else 2
            pixels = np.zeros((n, 32, 32, 3), np.uint8)
            pixels[..., 1] = 255  # all green
            data = pixels if channels_last else pixels.transpose(0, 3, 1, 2)
            return SimpleNamespace(data=data, **{labels_name: [*range(n)]})

        return make

    datasets = SimpleNamespace(
        CIFAR10=dataset("CIFAR10", True, "targets"),
        CIFAR100=dataset("CIFAR100", True, "targets"),
        SVHN=dataset("SVHN", False, "labels"),
    )
    fake = SimpleNamespace(datasets=datasets)
    monkeypatch.setattr(torchvision_shim, "import_torchvision", lambda: fake)
    return downloaded


@pytest.mark.parametrize(
    ("name", "n_classes", "green"),
    [
        ("cifar10", 10, (1 - 0.4822) / 0.2435),
        ("cifar100", 100, (1 - 0.4865) / 0.2564),
        ("svhn", 10, (1 - 0.4438) / 0.2010),
    ],
)
def test_torchvision_datasets_are_downloaded_once_and_read(
    fake_torchvision, tmp_path, name, n_classes, green
):
    assert "or --download" in refusal(name, tmp_path)
    dataset = load(name, tmp_path / "new", download=True)
    assert (dataset.n_classes, dataset.image_shape) == (n_classes, (3, 32, 32))
    assert (dataset.train_labels.tolist(), dataset.test_labels.tolist()) == ([0, 1, 2], [0, 1])
    images = dataset.images("train", [2])
    assert np.allclose(images[0, 1], green)
    assert (images[0, 0] < 0).all()


def test_a_failed_download_is_a_config_error(monkeypatch, tmp_path):
    def make(root, download, **part):
        raise RuntimeError("Dataset not found") if not download else OSError("no route to host")

    fake = SimpleNamespace(datasets=SimpleNamespace(CIFAR10=make))
    monkeypatch.setattr(torchvision_shim, "import_torchvision", lambda: fake)
    message = refusal("cifar10", tmp_path, download=True)
    assert message.startswith("--download")
    assert "no route to host" in message


def test_a_download_from_a_silent_server_times_out(monkeypatch, tmp_path):
    monkeypatch.setattr(dataset_torchvision, "DOWNLOAD_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/cifar.tar.gz"
        cifar = torchvision_shim.import_torchvision().datasets.CIFAR10
        monkeypatch.setattr(cifar, "url", url)
        assert "timed out" in refusal("cifar10", tmp_path, download=True)
    assert socket.getdefaulttimeout() is None


# folder


def write_folder(root, size=(6, 4), mode="RGB", classes=("cat", "ant"), n=2, suffix="png"):
    """Write images of one color: first channel 51 for "ant" and 204 for "cat", other channels 0."""
    for part in ("train", "test"):
        for name in classes:
            (root / part / name).mkdir(parents=True, exist_ok=True)
            value = 51 if name == "ant" else 204
            color = value if mode == "L" else (value, 0, 0)
            for i in range(n):
                Image.new(mode, size, color).save(root / part / name / f"{i}.{suffix}")
    return root


def test_classes_of_a_folder_are_its_sorted_names(tmp_path):
    folder = load("folder", write_folder(tmp_path))
    assert (folder.n_classes, folder.image_shape) == (2, (3, 4, 6))
    assert folder.train_labels.tolist() == [0, 0, 1, 1]  # ant, ant, cat, cat
    images = folder.images("test", [3, 0])
    assert np.allclose(images[:, 0, 2, 5], [(0.8 - 0.5) / 0.25, (0.2 - 0.5) / 0.25])
    assert np.allclose(images[:, 1], -2)


def test_files_and_classes_are_sorted_by_name(tmp_path):
    """The order does not depend on that of the file system."""
    grays = np.random.default_rng(0).permutation(60)
    for gray in grays.tolist():
        for part in ("train", "test"):
            folder = tmp_path / part / f"class{gray // 6}"
            folder.mkdir(parents=True, exist_ok=True)
            Image.new("L", (2, 2), gray).save(folder / f"{gray:03}.png")
    folder = load("folder", tmp_path)
    assert folder.train_labels.tolist() == [gray // 6 for gray in range(60)]
    pixels = folder.images("train", range(60))[:, 0, 0, 0] * 0.25 + 0.5
    assert np.allclose(pixels * 255, range(60), atol=1e-3)


def test_jpegs_are_read(tmp_path):
    folder = load("folder", write_folder(tmp_path, suffix="JPG"))
    assert np.allclose(folder.images("train", [0])[0, 0], (0.2 - 0.5) / 0.25, atol=0.05)


def test_a_gray_folder_has_one_channel(tmp_path):
    assert load("folder", write_folder(tmp_path, mode="L")).image_shape == (1, 4, 6)


def test_gray_images_among_colored_ones_are_read_as_rgb(tmp_path):
    Image.new("L", (6, 4), 51).save(write_folder(tmp_path) / "train" / "ant" / "0.png")
    images = load("folder", tmp_path).images("train", [0])
    assert np.allclose(images, (0.2 - 0.5) / 0.25)


def test_with_an_image_size_the_files_may_have_different_sizes(tmp_path):
    Image.new("RGB", (9, 9), (51, 0, 0)).save(write_folder(tmp_path) / "train" / "ant" / "1.png")
    images = load("folder", tmp_path, image_size=5).images("train", [0, 1])
    assert images.shape == (2, 3, 5, 5)
    assert np.allclose(images[0], images[1], atol=1e-5)


def test_files_without_an_image_suffix_are_ignored(tmp_path):
    write_folder(tmp_path)
    (tmp_path / "train" / ".hidden").mkdir()
    (tmp_path / "train" / "README.txt").touch()
    (tmp_path / "train" / "ant" / "Thumbs.db").touch()
    (tmp_path / "train" / "ant" / "._0.png").touch()
    assert len(load("folder", tmp_path).train_labels) == 4


def test_images_are_decoded_on_demand(tmp_path):
    """The second image of each class is damaged; opening the folder does not read it."""
    write_folder(tmp_path)
    broken = tmp_path / "test" / "ant" / "1.png"
    broken.write_bytes(broken.read_bytes()[:40])
    folder = load("folder", tmp_path)
    folder.images("test", [0, 2, 3])
    with pytest.raises(ConfigError, match=f"{broken} = 'unreadable': expected an image"):
        folder.images("test", [1])


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda f: (f / "test").rename(f / "tset"), "test/ is missing"),
        (lambda f: (f / "test" / "cat").rename(f / "test" / "dog"), "'cat' is only in train/"),
        (lambda f: (f / "test" / "bee" / "x").mkdir(parents=True), "in every class directory"),
        (
            lambda f: [i.unlink() for i in (f / "train" / "ant").iterdir()],
            "train/ant'.*image files",
        ),
        (lambda f: (f / "train" / "ant" / "0.png").write_text("hi"), "train/ant/0.png = 'unreadab"),
        (
            lambda f: Image.new("RGB", (9, 8)).save(f / "test" / "cat" / "0.png"),
            "test/cat/0.png = '9x8 pixels': expected 6x4 pixels, .* --image-size",
        ),
        (
            lambda f: Image.new("I;16", (6, 4)).save(f / "train" / "ant" / "0.png"),
            "'Pillow mode I;16': expected 8 bits",
        ),
    ],
)
def test_a_folder_that_breaks_a_rule_is_refused(tmp_path, spoil, why):
    spoil(write_folder(tmp_path))
    with pytest.raises(ConfigError, match=why):
        load("folder", tmp_path)


def test_a_folder_must_exist_and_have_two_classes(tmp_path):
    assert "--data-dir = None: expected an existing directory" in refusal("folder")
    assert "train/CLASS" in refusal("folder", tmp_path / "absent")
    write_folder(tmp_path, classes=("cat",))
    assert "two or more class directories" in refusal("folder", tmp_path)
