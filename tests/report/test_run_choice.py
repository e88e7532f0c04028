"""RUN on the command line: a folder, the beginning of a name in ./runs, or the newest."""

import os
import re

import pytest
from click.testing import CliRunner
from hand_runs import announced, orderly

from prisam_p2p.cli import main
from prisam_p2p.errors import ConfigError
from prisam_p2p.report.run_choice import choose_run, runs_in

COUNT = "SELECT count(*) AS n FROM ledger"


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Return ./runs with ring-1, ring-2 and star, begun in this order."""
    monkeypatch.chdir(tmp_path)
    for second, name in enumerate(("ring-1", "ring-2", "star")):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        announced(orderly()).write(folder)
        os.utime(folder / "plan.json", (second, second))
    (tmp_path / "runs" / "notes").mkdir()  # no run
    return tmp_path / "runs"


def prisam(*words):
    done = CliRunner().invoke(main, words)
    return done.exit_code, done.stdout, done.stderr


def test_runs_are_listed_from_the_newest(runs):
    assert [run.name for run in runs_in(runs)] == ["star", "ring-2", "ring-1"]


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (None, "star"),
        ("runs/ring-1", "ring-1"),
        ("ring-1", "ring-1"),
        ("st", "star"),
        ("runs/st", "star"),
    ],
)
def test_the_run_that_is_meant(runs, given, name):
    assert choose_run(given).resolve() == runs / name


def test_a_folder_elsewhere_is_taken_as_it_is(runs, tmp_path):
    other = tmp_path / "s"
    other.mkdir()
    (other / "plan.json").write_text("{}")
    assert choose_run("s").resolve() == other


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("ring", r"RUN = 'ring': expected one run, not 2 that begin so: ring-2, ring-1$"),
        ("stat", r"RUN = 'stat': expected a run folder; the nearest is star \(looked in runs\)$"),
        ("no/such", r"RUN = 'no/such': expected a run folder \(looked in no\)$"),
    ],
)
def test_what_is_not_one_run_is_refused(runs, given, told):
    with pytest.raises(ConfigError, match=told):
        choose_run(given)


def test_without_runs_one_cannot_be_left_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"^RUN = \(left out\): .*there is no run in runs$"):
        choose_run(None)


def test_only_a_run_that_was_not_named_in_full_is_named_on_stderr(runs):
    assert prisam("bytes", "st", "--format", "json")[2] == "RUN: runs/star\n"
    assert prisam("bytes", "--format", "json")[2] == "RUN: runs/star\n"
    assert prisam("bytes", "runs/ring-1", "--format", "json")[2] == ""


def test_a_single_argument_of_sql_is_the_query(runs):
    code, out, err = prisam("sql", COUNT, "--format", "csv")
    assert (code, out.split()[0], err) == (0, "n", "RUN: runs/star\n")
    assert prisam("sql", "ring-1", COUNT, "--format", "csv") == (0, out, "RUN: runs/ring-1\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["ring-1"], r"^error: QUERY = 'ring-1': expected a SELECT in quotes"),
        ([], r"expected \[RUN\] QUERY, one or two arguments, not 0"),
        (["ring-1", "SELECT", "1"], r"one or two arguments, not 3"),
    ],
)
def test_sql_without_a_query_is_refused(runs, words, told):
    code, out, err = prisam("sql", *words)
    assert (code, out) == (2, "")
    assert re.search(told, err), err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], ["RUN: runs/star", "RUN2: runs/ring-2"]),
        (["star"], ["RUN: runs/star", "RUN2: runs/ring-2"]),
        (["runs/ring-2"], ["RUN2: runs/star"]),
        (["runs/ring-2", "ring-1"], ["RUN2: runs/ring-1"]),
    ],
)
def test_verify_takes_the_newest_other_run_for_one_that_is_left_out(runs, words, told):
    told_on_stderr = prisam("verify", *words)[2].splitlines()
    assert [line for line in told_on_stderr if line.startswith("RUN")] == told


def test_verify_needs_two_runs(runs):
    for name in ("ring-1", "ring-2"):
        (runs / name / "plan.json").unlink()
    code, out, err = prisam("verify")
    assert (code, out) == (2, "")
    assert err.endswith("RUN2 = (left out): expected a run folder; there is no other run in runs\n")
