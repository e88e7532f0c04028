"""Which GPUs an agent may give to peers."""

import pytest

from prisam_p2p.hosts.gpus import gpus_of


def host_with(*indices):
    return lambda: list(indices)


def test_a_host_without_an_allotment_has_all():
    assert gpus_of({}, host_with("0", "1")) == ("0", "1")


def test_a_host_without_a_driver_has_none(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert gpus_of({}) == ()


@pytest.mark.parametrize(
    ("allotted", "usable"),
    [
        ("2,3", ("2", "3")),
        ("GPU-8a1b, GPU-77ff", ("GPU-8a1b", "GPU-77ff")),
        ("MIG-1/2/0", ("MIG-1/2/0",)),
        ("", ()),
        ("-1", ()),
        ("NoDevFiles", ()),
        ("0,-1,1", ("0",)),  # as in CUDA: what follows is invisible
    ],
)
def test_the_engine_s_allotment_wins(allotted, usable):
    assert gpus_of({"CUDA_VISIBLE_DEVICES": allotted}, host_with("0", "1")) == usable
