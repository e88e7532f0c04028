"""Runs from Python: a child process for each, the same errors, and an end in order."""

import json
import os
import re
import signal
import subprocess
import sys
import textwrap

import psutil
import pytest
from launching import (
    DEADLINE_S,
    ROOT,
    SMALL,
    alive,
    family,
    has_signal,
    journal,
    paced,
    topology,
    wait_for,
)

import prisam_p2p as pp
from prisam_p2p.extensions.record import CodeRecord

pytestmark = pytest.mark.network

RING = SMALL.replace('"full"', '"ring"').replace("count = 6", "count = 4")
LONG = paced(RING.replace("rounds = 3", "rounds = 5000"))


def script(text, cwd, *arguments):
    """Start a script of a user's in a folder of its own."""
    (cwd / "script.py").write_text(textwrap.dedent(text))
    return subprocess.Popen(
        [sys.executable, "script.py", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("from-python")


@pytest.fixture(scope="module")
def told(folder):
    """Return what a script told that launches a run with a baseline and looks at it."""
    net = topology(folder, RING)
    program = """
        import json, sys
        import prisam_p2p as pp

        run = pp.launch(sys.argv[1], rounds=2, baseline="local", run_dir="run", progress=True)
        again = pp.load_run("run")
        print(json.dumps({
            "name": run.name,
            "path": str(run.path),
            "deployed": [run.summary.accuracy.deployed, again.summary.accuracy.deployed],
            "masks": [int(run.peers["p03"].mask(round=t).sum()) for t in (0, 1)],
            "weights": {k: list(v.shape) for k, v in run.weights("p03").items()},
            "complaint": run.complaint,
            "baseline": run.baseline.summary.algorithm,
            "wire": sum(row["wire"] for row in run.bytes),
            "asked": run.sql("SELECT sum(wire)::BIGINT AS wire FROM ledger").rows,
            "torch": "torch" in sys.modules,
        }))
    """
    with script(program, folder, net) as process:
        out, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, err
    return {**json.loads(out), "progress": err}


def test_a_run_is_launched_and_read_without_torch(told, folder):
    assert told["torch"] is False
    assert (told["name"], told["path"]) == ("run", str(folder / "run"))
    assert told["deployed"][0] == told["deployed"][1] > 0.2
    assert told["complaint"] == ""
    assert told["baseline"] == "local"
    assert told["wire"] == told["asked"][0]["wire"] > 100_000


def test_its_settings_are_those_of_the_call(told, folder):
    settings = json.loads((folder / "run" / "plan.json").read_text())["settings"]
    assert (settings["rounds"], settings["baseline"]) == (2, "local")
    assert all(n > 0 for n in told["masks"])
    assert told["weights"]["features.0.weight"][1:] == [1, 3, 3]


def test_progress_is_told_line_by_line_where_nothing_can_be_redrawn(told):
    lines = told["progress"].splitlines()
    assert any("round 1/2" in line or "round 2/2" in line for line in lines), lines
    assert not any("\r" in line for line in lines)


def test_the_model_loads_from_the_run(told, folder):
    net = pp.load_run(folder / "run").model("p03")
    assert sum(each.numel() for each in net.parameters()) > 1000


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"topology": "rng-8"}, pp.ConfigError, "the nearest is ring-8"),
        ({"round": 3}, pp.ConfigError, "--round = 3: expected a known key; the nearest is rounds"),
        ({"rounds": "3"}, pp.ConfigError, "--rounds = '3': expected an integer"),
        ({"rounds": object()}, pp.ConfigError, "rounds = <object object"),
        ({"control_run": True}, pp.ConfigError, "--control-run = 'no --faults'"),
        ({"ready_timeout_s": 0.001}, pp.LaunchError, "not done with starting within 0.001 s"),
    ],
)
def test_errors_are_those_of_the_program(arguments, error, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error) as caught:
        pp.launch(**{"topology": topology(tmp_path, RING), **arguments})
    assert said in str(caught.value)
    if error is pp.LaunchError:  # a folder says why
        (run,) = (tmp_path / "runs").iterdir()
        assert caught.value.__notes__ == [f"run folder: {run}"]
    else:
        assert list(tmp_path.glob("runs/*")) == []


def test_an_interrupt_ends_all_processes_and_leaves_a_run_to_load(tmp_path):
    net = topology(tmp_path, LONG)
    program = """
        import sys
        import prisam_p2p as pp

        try:
            pp.launch(sys.argv[1], run_dir="run")
        except KeyboardInterrupt as stopped:
            print(pp.load_run("run").summary.status, *stopped.__notes__)
    """
    with script(program, tmp_path, net) as process:
        run = tmp_path / "run"
        wait_for("round", lambda: any(x["record"] == "traffic" for x in journal(run, "p00")))
        pids = family(process.pid)
        assert len(pids) > 5
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, out) == (0, f"interrupted run folder: {run}\n"), err
    assert alive(pids) == []


STARTED, ENDED = "the launcher is started", "the run has ended"


@pytest.mark.parametrize("stage", [STARTED, ENDED])
def test_an_interrupt_is_not_lost_at(stage, tmp_path):
    net = topology(tmp_path, RING.replace("rounds = 3", "rounds = 1"))
    program = """
        import signal, sys
        import prisam_p2p as pp

        try:
            pp.launch(sys.argv[1], run_dir="run")
            signal.pause()
        except KeyboardInterrupt:
            print("interrupted")
    """
    with script(program, tmp_path, net) as process:
        pids = []

        def reached():
            pids[:] = family(process.pid)
            told = [x["record"] for x in journal(tmp_path / "run", "launcher")]
            return "run_ended" in told if stage == ENDED else len(pids) > 1

        wait_for(stage, reached)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, out) == (0, "interrupted\n"), err
    assert alive(pids) == []


def test_a_second_interrupt_ends_a_launcher_that_does_not_stop(tmp_path):
    net = topology(tmp_path, LONG)
    program = """
        import sys
        import prisam_p2p as pp

        try:
            pp.launch(sys.argv[1], run_dir="run")
        except KeyboardInterrupt:
            print("interrupted")
    """
    with script(program, tmp_path, net) as process:
        run = tmp_path / "run"
        wait_for("round", lambda: any(x["record"] == "traffic" for x in journal(run, "p00")))
        pids = family(process.pid)
        (launcher,) = psutil.Process(process.pid).children()
        launcher.suspend()
        process.send_signal(signal.SIGINT)
        wait_for("order to stop", lambda: has_signal(launcher.pid, "ShdPnd", signal.SIGINT))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, out) == (0, "interrupted\n"), err
    assert alive(pids) == []


def test_a_killed_caller_leaves_no_process(tmp_path):
    net = topology(tmp_path, LONG)
    program = "import sys, prisam_p2p as pp; pp.launch(sys.argv[1], run_dir='run')"
    with script(program, tmp_path, net) as process:
        run = tmp_path / "run"
        wait_for("round", lambda: any(x["record"] == "traffic" for x in journal(run, "p00")))
        pids = family(process.pid)
        process.kill()
        process.wait(DEADLINE_S)
        wait_for("end of all", lambda: alive(pids) == [])


def test_a_graph_with_faults_and_a_model_of_the_script_run_and_stay_in_the_run(tmp_path):
    program = """
        import networkx as nx
        from torch import nn
        import prisam_p2p as pp

        HIDDEN = 8

        def net(data, width):
            layers = [nn.Flatten(), nn.Linear(64, HIDDEN), nn.BatchNorm1d(HIDDEN), nn.ReLU()]
            return nn.Sequential(*layers, nn.Linear(HIDDEN, data.n_classes))

        def refused(ask):
            try:
                ask()
            except pp.ConfigError as error:
                return str(error)

        kill = {"id": "gone", "kind": "kill", "peers": ["p03"]}
        ring = pp.topology(
            nx.cycle_graph(4),
            profiles=["server-core"],
            faults=[{**kill, "at": {"round": 1, "phase": "train"}}],
            name="mine",
        )
        print(refused(lambda: pp.launch(ring, rounds=1)))
        run = pp.launch(ring, model=net, rounds=2, groups=2, run_dir="run")
        print([each.peer for each in run.summary.lost])
        print(refused(lambda: run.model("p00")))
        print(sum(each.numel() for each in run.model("p00", factory=net).parameters()))
    """
    with script(program, tmp_path) as process:
        out, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, err
    early, lost, unknown, size = out.splitlines()
    assert early.startswith("scenario mine-faults: gone.at.round = 1: expected a round below 1")
    assert lost == "['p03']"
    run = tmp_path / "run"
    assert f"code = '{run}/code/model/net.py:net'" in unknown
    assert int(size) > 100
    record = json.loads((run / "plan.json").read_text())["code"]["model"]
    assert CodeRecord(**record).is_unchanged()
    assert CodeRecord(**record).file == run / "code" / "model" / "net.py"
    assert "HIDDEN = 8" in (run / "code" / "model" / "net.py").read_text()
    assert 'profiles = ["server-core"]' in (run / "inputs" / "mine.toml").read_text()
    assert 'kind = "kill"' in (run / "inputs" / "mine-faults.toml").read_text()


def test_the_page_shows_what_works(tmp_path):
    page = (ROOT / "docs" / "python.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 4
    checks = """
assert len(run.sql("SELECT DISTINCT peer FROM trained")) == 8
assert sum(each.numel() for each in model.parameters()) == sum(
    each.size for name, each in weights.items() if name in dict(model.named_parameters())
)
assert [each.peer for each in lossy.summary.lost] == ["p05"]
assert net_of_p00[1].out_features <= HIDDEN
assert [row["seed"] for row in both] == [0, 1]
assert [row["same_as_first"] for row in both] == [True, False]
"""
    with script("\n".join(blocks) + checks, tmp_path) as process:
        out, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, err
    assert "ring-8: completed, 2 rounds" in out
    assert "--round = 3: expected a known key; the nearest is rounds" in out
