"""`prisam export` as users call it; trackers' own formats: test_sinks.py."""

import csv
import tomllib
from pathlib import Path

import pytest
from big_run import BigRun, write_big_run
from launching import asked, refused

from prisam_p2p.export import sinks
from prisam_p2p.export.reading import exported_run, run_id_of

BIG = BigRun(peers=4, rounds=2, degree=2, groups=2)


@pytest.fixture
def run(tmp_path):
    return write_big_run(tmp_path / "demo", BIG)


def test_csv_has_a_row_for_each_point(run):
    code, out = asked("export", run, "--to", "csv")
    assert code == 0, out
    with (run / "export" / "csv" / "metrics.csv").open() as file:
        rows = [
            (float(r["t_s"]), int(r["round"]), r["tag"], float(r["value"]))
            for r in csv.DictReader(file)
        ]
    assert rows == [(p.t_s, p.round, p.tag, p.value) for p in exported_run(run).points]
    assert f"to see it: {run / 'export' / 'csv' / 'metrics.csv'}" in out


def test_a_second_export_says_that_it_replaces_the_first(run):
    first = asked("export", run, "--to", "csv")[1]
    second = asked("export", run, "--to", "csv", "--peers", "all")[1]
    assert "earlier" not in first
    assert "(in place of an earlier export)" in second
    assert [each.name for each in (run / "export").iterdir()] == ["csv"]


def test_several_runs_share_a_folder(run, tmp_path):
    other = write_big_run(tmp_path / "other", BIG)
    for each in (run, other):
        assert asked("export", each, "--to", "csv", "--out", tmp_path / "logs")[0] == 0
    assert {each.name for each in (tmp_path / "logs").iterdir()} == {"demo", "other"}


def test_the_export_of_another_run_of_that_name_is_left_alone(run, tmp_path):
    assert asked("export", run, "--to", "csv", "--out", tmp_path / "logs")[0] == 0
    other = write_big_run(tmp_path / "elsewhere" / "demo", BIG)
    lines = (other / "journal" / "launcher.jsonl").read_text()
    (other / "journal" / "launcher.jsonl").write_text(lines.replace(run_id_of(run), "11" * 8))
    told = refused("export", other, "--to", "csv", "--out", tmp_path / "logs")
    assert "the export of another run of that name" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--to", "csv", "--peers", "p0003"), "such as p003"),
        (("--to", "csv", "--peers", ""), "--peers = ''"),
        (
            ("--to", "csv", "--out", "http://127.0.0.1:1"),
            "a folder: csv is written without a server",
        ),
    ],
)
def test_wrong_input_is_refused_before_anything_is_written(run, words, told):
    assert told in refused("export", run, *words)
    assert not (run / "export").exists()


def test_a_library_that_is_missing_is_named_with_what_installs_it(run, monkeypatch):
    monkeypatch.setattr(sinks, "find_spec", lambda name: None)
    told = refused("export", run, "--to", "tensorboard")
    assert "tensorboard is not; pip install tensorboard " in told


def test_every_tracker_has_an_extra_and_all_are_in_one():
    project = tomllib.loads(Path(__file__).parents[2].joinpath("pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    names = [name for name, sink in sinks.SINKS.items() if sink.needs]
    assert extras["sinks"] == [f"prisam-p2p[{','.join(names)}]"]
    for name in names:
        packages = [each.split(">")[0] for each in extras[name]]
        assert packages == sinks.SINKS[name].packages.split()


@pytest.mark.parametrize("recorded", [0, 1])
def test_a_run_that_was_killed_is_exported_as_far_as_it_went(tmp_path, recorded):
    run = write_big_run(tmp_path / "killed", BigRun(4, 3, 2, recorded, groups=2))
    assert asked("export", run, "--to", "csv")[0] == 0
    exported = exported_run(run)
    assert exported.status != "completed"
    assert {p.round for p in exported.points if p.tag.startswith("accuracy")} == set(
        range(recorded)
    )
