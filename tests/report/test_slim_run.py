"""A summary is made of a part of the journals: it is that of all their lines."""

import json

import pytest
from big_run import BigRun, write_big_run
from hand_hosts import on_two_hosts
from hand_networks import HandNetwork
from hand_runs import announced, orderly
from whole_summaries import whole_summary

from prisam_p2p.report.ledger import make_ledger
from prisam_p2p.report.run_folder import RunFolder
from prisam_p2p.report.slim_run import SlimRun
from prisam_p2p.report.summary import write_summary


@pytest.fixture(
    params=[
        announced(orderly()),
        on_two_hosts(lost="h2", moved=("p03",)),
        HandNetwork(),
        BigRun(12, 5, degree=None),
        BigRun(12, 5, recorded=3),
        BigRun(12, 5, extras=False),
    ],
    ids=["orderly", "hosts", "network", "big", "killed", "of an older version"],
)
def folder(request, tmp_path):
    """A run folder."""
    run = tmp_path / "run"
    if isinstance(request.param, BigRun):
        return write_big_run(run, request.param)
    run.mkdir()
    request.param.write(run)
    return run


def test_the_summary_is_that_of_all_lines(folder):
    assert json.loads(json.dumps(write_summary(RunFolder(folder)))) == whole_summary(folder)


def test_the_ledger_is_that_of_all_lines(folder):
    slim = SlimRun(folder)
    assert make_ledger(slim, slim.processes).rows == make_ledger(RunFolder(folder)).rows


def test_spans_and_masks_and_counts_are_not_held(tmp_path):
    folder = write_big_run(tmp_path / "run", BigRun(6, 20, degree=None))
    of_all, kept = RunFolder(folder).journals, SlimRun(folder).journals
    assert kept["launcher"] == of_all["launcher"]
    sizes = [
        sum(len(json.dumps(each[peer])) for peer in ("p000", "p001")) for each in (of_all, kept)
    ]
    assert sizes[1] < sizes[0] / 3
    names = {line["record"] for line in kept["p000"] if "spans" in line or "rows" in line}
    assert names == set()
    assert SlimRun(folder).records("p000", "evaluated")[0].keys() == {
        "t_s",
        "record",
        "round",
        "moment",
        "test",
    }
