"""Runs disturbed from outside, by no plan: they end in time, tell the truth, leave nothing."""

import json

import pytest
from launching import SMALL, prisam, topology

from prisam_p2p.soak.leaks import held, uncounted
from prisam_p2p.soak.unplanned.disturbances import Disturbance, DrawnRun
from prisam_p2p.soak.unplanned.launches import Launches
from prisam_p2p.soak.unplanned.series import begin_series, disturbed_cycle
from prisam_p2p.system.process_limits import adopt_orphans

pytestmark = pytest.mark.network

SETTINGS = {
    "rounds": 6,
    "network": "loopback",
    "stall_timeout_s": 3.0,
    "reconnect_timeout_s": 1.0,  # for so long a round waits for a peer that is gone
}


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """Return what the disturbed runs of a small network share: how long one takes undisturbed."""
    folder = tmp_path_factory.mktemp("chaos")
    adopt_orphans()
    return begin_series(Launches(topology(folder, SMALL), SETTINGS), folder)


def after(round_index, target, signal, hold_s=None):
    return Disturbance(
        target=target, signal=signal, after_round=round_index, after_s=0.05, hold_s=hold_s
    )


RUNS = {
    "peers": DrawnRun(
        seed=0,
        number=1,
        disturbances=(
            after(0, "p00", "SIGKILL"),
            after(1, "p01", "SIGSTOP"),
            after(1, "p02", "SIGSTOP", 1.0),
            after(2, "p03", "SIGSEGV"),
            after(2, "p04", "SIGTERM"),
            after(0, "p05", "SIGCONT"),
        ),
    ),
    "zygote killed": DrawnRun(
        seed=0,
        number=2,
        disturbances=(after(1, "zygote", "SIGABRT"), after(0, "p03", "SIGSTOP")),
    ),
    "zygote stopped": DrawnRun(seed=0, number=3, disturbances=(after(1, "zygote", "SIGSTOP"),)),
    "launcher killed": DrawnRun(
        seed=0,
        number=4,
        disturbances=(after(2, "launcher", "SIGKILL"), after(0, "p02", "SIGKILL")),
    ),
    "launcher told to stop": DrawnRun(
        seed=0,
        number=5,
        disturbances=(after(1, "launcher", "SIGTERM"), after(0, "p02", "SIGSTOP")),
    ),
    "all stopped for longer than the stall timeout": DrawnRun(
        seed=0, number=6, disturbances=(after(1, "everything", "SIGSTOP", 4.0),)
    ),
    "few descriptors": DrawnRun(seed=0, number=7, open_files=40),
}


@pytest.mark.parametrize("drawn", RUNS.values(), ids=RUNS)
def test_a_disturbed_run_ends_in_time_and_tells_the_truth(series, drawn):
    cycle = disturbed_cycle(series, drawn.number, drawn, uncounted(held()))
    assert cycle.is_good, cycle
    assert [each for each in cycle.deliveries if each["too_late"]] == []


def test_a_run_on_a_full_disk_tells_the_truth(series):
    if series.no_disk:
        pytest.skip(series.no_disk)
    drawn = DrawnRun(seed=0, number=8, disk_kib=series.known.folder_kib // 2, force=True)
    cycle = disturbed_cycle(series, 8, drawn, uncounted(held()))
    assert cycle.is_good, cycle


def test_a_soak_of_one_run(tmp_path):
    out = tmp_path / "soak"
    code, text = prisam(
        "soak", topology(tmp_path, SMALL), "--unplanned", "--minutes", "0", "--rounds", "4",
        "--seed", "1", "--stall-timeout-s", "3", "--out", out, "--format", "json",
    )  # fmt: skip
    assert code == 0, text
    told, _ = json.JSONDecoder().raw_decode(text[text.index("{\n") :])
    assert (told["runs"], told["good"], told["hangs"], told["leaks"]) == (1, 1, 0, 0)
    assert (told["tracebacks"], told["untruths"]) == (0, 0)
    assert sum(told["signals"].values()) >= 1
    assert [path.name for path in out.iterdir()] == ["cycles.jsonl"]
