"""What trackers read of an exported run, by their own readers. `make test-sinks` installs them."""

import csv
import json
import os
import shutil
import socket
import struct
import subprocess

import pytest
from big_run import BigRun, write_big_run

from prisam_p2p.export.reading import exported_run
from prisam_p2p.export.sinks import SINKS, mlflow_store, trackio_store, wandb_run
from prisam_p2p.shipped import CHILD_PYTHON, child_environment

pytestmark = pytest.mark.sinks
BIG = BigRun(peers=4, rounds=3, degree=2, groups=2)
DEADLINE_S = 120


@pytest.fixture
def run(tmp_path):
    return write_big_run(tmp_path / "demo", BIG)


def export(run, *words, where=None):
    """Export in a process of its own: trackers keep threads, services and settings."""
    words = [*CHILD_PYTHON, "-m", "prisam_p2p", "export", str(run), *map(str, words)]
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
        cwd=where,
        env=child_environment(),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def told(run):
    """Return (tag, round) -> value, as it should be read."""
    return {(each.tag, each.round): each.value for each in exported_run(run, "p001").points}


def needs(name):
    for module in SINKS[name].needs:
        pytest.importorskip(module, reason=f"{module} is not installed (extra `{name}`)")


def test_tensorboard_reads_all_points_at_their_times(run):
    needs("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for _ in range(2):  # the second takes the place of the first
        export(run, "--to", "tensorboard", "--peers", "p001")
        events = EventAccumulator(str(run / "export" / "tensorboard"), {"scalars": 0}).Reload()
        scalars = {tag: events.Scalars(tag) for tag in events.Tags()["scalars"]}
        read = [(tag, e.step, e.value) for tag, each in scalars.items() for e in each]
        assert {(tag, at): x for tag, at, x in read} == pytest.approx(told(run), rel=1e-6)
        assert len(read) == len(told(run))
    points = exported_run(run).points
    began_s = exported_run(run).began_s
    [point] = [p for p in points if (p.tag, p.round) == ("accuracy/aggregated/mean", 1)]
    assert scalars[point.tag][1].wall_time == pytest.approx(began_s + point.t_s, abs=1e-3)
    [settings] = events.Tensors("about/settings")
    assert b"| algorithm | prisam |" in settings.tensor_proto.string_val[0]


@pytest.mark.parametrize("out", [None, "sqlite:///{folder}/own.db"])
def test_mlflow_reads_all_points_and_settings(run, tmp_path, out):
    needs("mlflow")
    place = out.format(folder=tmp_path) if out else str(run / "export" / "mlflow")
    for _ in range(2):
        more = ["--out", place] if out else []
        export(run, "--to", "mlflow", "--peers", "p001", *more, where=tmp_path)
    client = mlflow_store.client_at(place)
    experiment = client.get_experiment_by_name(mlflow_store.EXPERIMENT)
    [made] = client.search_runs([experiment.experiment_id])
    assert (made.info.run_name, made.info.status) == ("demo", "FINISHED")
    assert made.data.params["algorithm"] == "prisam"
    read = [
        (tag, each.step, each.value)
        for tag in made.data.metrics
        for each in client.get_metric_history(made.info.run_id, tag)
    ]
    assert {(tag, at): value for tag, at, value in read} == told(run)
    assert len(read) == len(told(run))


def test_an_mlflow_server_that_is_not_there_is_told_in_one_line(run):
    needs("mlflow")
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))  # nobody listens there
        address = f"http://127.0.0.1:{line.getsockname()[1]}"
        words = [*CHILD_PYTHON, "-m", "prisam_p2p", "export", str(run), "--to", "mlflow"]
        done = subprocess.run(
            [*words, "--out", address],
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
            env=child_environment(),
        )
    assert done.returncode == 1
    assert f"error: {address}: " in done.stderr.splitlines()[-1]


def wandb_records(path):
    """Yield the records of a W&B file: LevelDB's log format, after a header of 7 bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, whole = path.read_bytes(), 7, b""
    while at < len(data):
        if (left := 32768 - at % 32768) < 7:
            at += left
            continue
        _, size, kind = struct.unpack("<IHB", data[at : at + 7])
        whole += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # whole, or the last part
            yield Record.FromString(whole)
            whole = b""


def test_wandb_has_all_points_in_an_offline_run(run):
    needs("wandb")
    for _ in range(2):
        out = export(run, "--to", "wandb", "--peers", "p001")
    assert "nothing was sent" in out
    [path] = (run / "export" / "wandb" / "wandb").glob("offline-run-*/run-*.wandb")
    records = list(wandb_records(path))
    [of_run] = [r.run for r in records if r.HasField("run")]
    assert (of_run.project, of_run.display_name) == (wandb_run.PROJECT, "demo")
    read = {}
    for record in records:
        if record.HasField("history"):
            row = {
                "/".join(i.nested_key) or i.key: json.loads(i.value_json)
                for i in record.history.item
            }
            at = row["round"]
            ours = {tag for tag, _ in told(run)} & row.keys()
            assert not {(tag, at) for tag in ours} & read.keys()
            read |= {(tag, at): row[tag] for tag in ours}
    assert read == pytest.approx(told(run))


def test_trackio_reads_all_points(run):
    needs("trackio")
    for _ in range(2):
        export(run, "--to", "trackio", "--peers", "p001")
    program = (
        "import csv, sys, trackio\n"
        "from trackio.sqlite_storage import SQLiteStorage\n"
        f"[run] = trackio.Api().runs({trackio_store.PROJECT!r})\n"
        "assert run.config['algorithm'] == 'prisam', run.config\n"
        f"logs = SQLiteStorage.get_logs({trackio_store.PROJECT!r}, run.name, run_id=run.id)\n"
        "rows = [(tag, log['step'], value) for log in logs for tag, value in log.items()]\n"
        "csv.writer(sys.stdout).writerows(rows)\n"
    )
    place = {"TRACKIO_DIR": str(run / "export" / "trackio")}
    done = subprocess.run(
        [*CHILD_PYTHON, "-c", program],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
        env={**child_environment(), **place},
    )
    assert done.returncode == 0, done.stderr
    rows = [(tag, int(at), x) for tag, at, x in csv.reader(done.stdout.splitlines())]
    ours = [(tag, at, float(x)) for tag, at, x in rows if tag not in ("step", "timestamp", "t_s")]
    assert {(tag, at): value for tag, at, value in ours} == told(run)
    assert len(ours) == len(told(run))


@pytest.mark.parametrize("name", [name for name, sink in SINKS.items() if sink.needs])
def test_nothing_is_sent_anywhere(run, tmp_path, name):
    """Look at every system call that connects a socket; those of other machines have an address."""
    needs(name)
    if not (strace := shutil.which("strace")):
        pytest.skip("strace is not installed: it shows the connections")
    calls = tmp_path / "calls"
    words = [strace, "-f", "-e", "trace=connect,sendto", "-o", str(calls)]
    words += [*CHILD_PYTHON, "-m", "prisam_p2p", "export", str(run), "--to", name]
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
        env={**child_environment(), "PATH": os.environ["PATH"]},
    )
    if "ptrace" in done.stderr:
        pytest.skip("this system allows no strace")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "exited with 0" in calls.read_text()
    assert [line for line in calls.read_text().splitlines() if "AF_INET" in line] == []
