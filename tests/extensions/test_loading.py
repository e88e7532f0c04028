"""Importing users' code: what is recorded, and what is said of code that is wrong."""

import hashlib
import os
import re
import sys
from dataclasses import dataclass

import pytest

from prisam_p2p.errors import ConfigError
from prisam_p2p.extensions import loading
from prisam_p2p.extensions.calling import check_call, user_code
from prisam_p2p.extensions.installed import installed
from prisam_p2p.extensions.loading import load, load_again
from prisam_p2p.extensions.record import CodeRecord
from prisam_p2p.extensions.reference import CodeKind
from prisam_p2p.extensions.threads import stays_forkable

TEXT = "def rounds(me):\n    return 7\n"


def file_of(folder, text, name="mine.py"):
    path = folder / name
    path.write_text(text)
    return path


def test_a_file_is_recorded_by_path_and_hash(tmp_path):
    path = file_of(tmp_path, TEXT)
    found = load(CodeKind.ALGORITHM, f"{path}:rounds", "--algorithm")
    assert found.value(None) == 7
    assert found.record == CodeRecord(
        reference=f"{path}:rounds",
        origin="file",
        distribution="",
        version="",
        file=path,
        sha256=hashlib.sha256(TEXT.encode()).hexdigest(),
    )


def test_a_module_is_recorded_with_the_version_of_its_package():
    found = load(CodeKind.ALGORITHM, "numpy.linalg:norm", "--algorithm")
    import numpy as np

    assert found.value is np.linalg.norm
    record = found.record
    assert (record.origin, record.distribution) == ("module", "numpy")
    assert record.version == np.__version__
    assert record.is_unchanged()


def package(folder, name, version, module):
    """Install a package by hand that offers the algorithm gossip, `rounds` of a module."""
    file_of(folder, TEXT, f"{module}.py")
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "top_level.txt").write_text(f"{module}\n")
    (info / "entry_points.txt").write_text(f"[prisam_p2p.algorithms]\ngossip = {module}:rounds\n")


@pytest.fixture
def packages(monkeypatch, tmp_path):
    """A folder of installed packages."""
    monkeypatch.syspath_prepend(tmp_path)
    installed.cache_clear()
    yield tmp_path
    installed.cache_clear()


def test_an_installed_entry_point_is_found_by_its_name(packages):
    package(packages, "theirs", "1.2", "their_package")
    record = load(CodeKind.ALGORITHM, "gossip", "--algorithm").record
    assert (record.reference, record.origin) == ("their_package:rounds", "entry point")
    assert (record.distribution, record.version) == ("theirs", "1.2")


def test_a_name_that_two_packages_offer_is_refused_and_neither_imported(packages):
    package(packages, "one", "1.2", "package_one")
    package(packages, "other", "0.1", "package_other")
    with pytest.raises(ConfigError) as error:
        load(CodeKind.ALGORITHM, "gossip", "--algorithm")
    assert str(error.value).startswith("--algorithm = 'gossip': expected a name that one package")
    for each in ("one 1.2 (package_one:rounds)", "other 0.1 (package_other:rounds)"):
        assert each in str(error.value)
    assert not {"package_one", "package_other"} & sys.modules.keys()
    found = load(CodeKind.ALGORITHM, "package_other:rounds", "--algorithm")  # as the error says
    assert (found.record.origin, found.record.distribution) == ("module", "other")


def test_a_fork_has_the_code_and_a_fresh_process_takes_the_copy(tmp_path, monkeypatch):
    path = file_of(tmp_path, TEXT)
    found = load(CodeKind.ALGORITHM, f"{path}:rounds", "--algorithm")
    record = found.record
    path.unlink()
    assert load_again({"algorithm": record}, tmp_path) == {"algorithm": found.value}
    monkeypatch.setattr(loading, "_loaded", {})
    copy = record.copy_in(tmp_path, "algorithm")
    copy.parent.mkdir(parents=True)
    copy.write_text(TEXT)
    assert load_again({"algorithm": record}, tmp_path)["algorithm"](None) == 7


def test_a_fresh_process_does_not_run_a_copy_that_has_changed(tmp_path, monkeypatch):
    record = load(CodeKind.ALGORITHM, f"{file_of(tmp_path, TEXT)}:rounds", "--algorithm").record
    monkeypatch.setattr(loading, "_loaded", {})
    copy = record.copy_in(tmp_path, "algorithm")
    copy.parent.mkdir(parents=True)
    copy.write_text(f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\n{TEXT}")
    with pytest.raises(ConfigError, match=r"begun with; .*/code/algorithm/mine\.py has changed"):
        load_again({"algorithm": record}, tmp_path)
    assert not (tmp_path / "ran").exists()


def test_what_runs_is_what_was_hashed(tmp_path):
    """A file of the same size and time, changed after its bytecode was cached."""
    path = file_of(tmp_path, "def rounds(me):\n    return 1\n")
    assert load(CodeKind.ALGORITHM, f"{path}:rounds", "--algorithm").value(None) == 1
    time = path.stat().st_mtime_ns
    file_of(tmp_path, "def rounds(me):\n    return 2\n")
    os.utime(path, ns=(time, time))
    assert load(CodeKind.ALGORITHM, f"{path}:rounds", "--algorithm").value(None) == 2
    assert not (tmp_path / "__pycache__").exists()


def test_a_dataclass_can_stand_in_a_file(tmp_path):
    text = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "@dataclass\nclass Point:\n    x: int\n"
    )
    path = file_of(tmp_path, text)
    assert load(CodeKind.MODEL, f"{path}:Point", "--model").value(3).x == 3


WRONG = [
    ("import nothing_of_this_name\n", r"mine.py, line 1: ModuleNotFoundError: .*nothing_of_this"),
    ("x = 1\ny = 1 / 0\n", r"mine.py, line 2: ZeroDivisionError: division by zero"),
    ("def f(\n", r"mine.py, line 1: SyntaxError"),
    ("import sys\nsys.exit(3)\n", r"mine.py, line 2: SystemExit: 3"),
    ("def other(me): ...\n", r"an attribute of .*mine.py: other$"),
    ("", r"an attribute of .*mine.py: it has none$"),
]


@pytest.mark.parametrize(("text", "why"), WRONG)
def test_wrong_code_is_named_with_file_and_line(tmp_path, text, why):
    path = file_of(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(CodeKind.ALGORITHM, f"{path}:rounds", "--algorithm")
    assert re.search(why, str(caught.value)), caught.value
    assert str(caught.value).startswith(f"--algorithm = '{path}:rounds': expected ")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match=r"expected a file; there is no .*none\.py"):
        load(CodeKind.ALGORITHM, f"{tmp_path}/none.py:rounds", "--algorithm")


def test_a_module_that_is_not_there():
    with pytest.raises(ConfigError, match=r"there is no nowhere.*\./file\.py:attribute"):
        load(CodeKind.ALGORITHM, "nowhere.at_all:rounds", "--algorithm")


def test_a_module_that_is_no_file():
    with pytest.raises(ConfigError, match=r"code in a \.py file, which builtins is not"):
        load(CodeKind.ALGORITHM, "builtins:print", "--algorithm")


def test_code_that_fails_when_it_is_called(tmp_path):
    path = file_of(tmp_path, "def net(data, width):\n    return data['x']\n")
    net = load(CodeKind.MODEL, f"{path}:net", "--model").value
    with (
        pytest.raises(ConfigError, match=r"mine\.py, line 2: TypeError"),
        user_code("--model", "x"),
    ):
        net(3, 1.0)


@dataclass
class Callable2:
    """Can be called with two arguments."""

    def __call__(self, data, width): ...


@pytest.mark.parametrize(
    "value", [lambda a, b: 0, lambda *a: 0, lambda a, b=1: 0, Callable2(), pow]
)
def test_what_can_be_called_with_two_arguments(value):
    check_call(value, 2, "--model", "x", "a function of two")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (3, "not a function"),
        (lambda a: 0, r"it takes \(a\); .*test_loading\.py, line \d+"),
        (lambda a, b, *, c: 0, r"it takes \(a, b, \*, c\)"),
    ],
)
def test_what_cannot(value, why):
    with pytest.raises(ConfigError, match=f"expected a function of two .*{why}"):
        check_call(value, 2, "--model", "x", "a function of two")


THREAD = """
import threading
stop = threading.Event()
thread = threading.Thread(target=stop.wait, name="my-thread", daemon=True)
thread.start()
"""


def test_code_that_leaves_a_thread_is_refused_by_name(tmp_path):
    path = file_of(tmp_path, THREAD)
    with (
        pytest.raises(ConfigError, match=r"no thread running \(my-thread\) .*--start spawn"),
        stays_forkable("--algorithm", "x", True),
    ):
        stop = load(CodeKind.ALGORITHM, f"{path}:stop", "--algorithm").value
    stop.set()


def test_a_thread_does_no_harm_where_nothing_is_forked(tmp_path):
    path = file_of(tmp_path, THREAD)
    with stays_forkable("--algorithm", "x", False):
        stop = load(CodeKind.ALGORITHM, f"{path}:stop", "--algorithm").value
    stop.set()


def test_a_thread_that_has_ended_does_no_harm(tmp_path):
    path = file_of(tmp_path, THREAD + "stop.set()\nthread.join()\n")
    with stays_forkable("--algorithm", "x", True):
        load(CodeKind.ALGORITHM, f"{path}:stop", "--algorithm")


def test_a_failed_import_leaves_no_module(tmp_path):
    path = file_of(tmp_path, "1 / 0\n")
    with pytest.raises(ConfigError):
        load(CodeKind.ALGORITHM, f"{path}:rounds", "--algorithm")
    left = [module for name, module in sys.modules.items() if name.startswith("prisam_code_mine")]
    assert str(path) not in [module.__file__ for module in left]


def test_a_module_that_has_changed_since_is_refused(tmp_path, monkeypatch):
    file_of(tmp_path, TEXT, "changing_module.py")
    monkeypatch.syspath_prepend(tmp_path)
    found = load(CodeKind.ALGORITHM, "changing_module:rounds", "--algorithm")
    other = found.record.model_copy(update={"sha256": "0" * 64})
    with pytest.raises(ConfigError, match=r"begun with; .*changing_module\.py has changed"):
        load_again({"algorithm": other}, tmp_path)


def test_code_that_initializes_cuda_is_refused(monkeypatch):
    """There is no CUDA device here: torch is made to say that it uses one."""
    torch = pytest.importorskip("torch")
    with (
        pytest.raises(ConfigError, match="does not touch CUDA before peers are forked"),
        stays_forkable("--model", "x", True),
    ):
        monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
