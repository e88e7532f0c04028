"""`prisam list`, and what a shell completes."""

import json
import os
import subprocess
import sys

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner
from hand_runs import orderly

from prisam_p2p.algorithms import Algorithm
from prisam_p2p.cli import main
from prisam_p2p.extensions.installed import installed
from prisam_p2p.extensions.reference import CodeKind
from prisam_p2p.learn.catalog import MODELS
from prisam_p2p.learn.models import BUILT_IN
from prisam_p2p.listing import KINDS
from prisam_p2p.settings import Grouping, Split
from prisam_p2p.shipped import PEERS, TOPOLOGIES


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Be in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def listed(*words):
    done = CliRunner().invoke(main, ["list", *words])
    assert done.exit_code == 0, done.output
    return done.output


def items(kind):
    return json.loads(listed(kind, "--format", "json"))[kind]


def completed(*words):
    *before, last = words
    found = ShellComplete(main, {}, "prisam", "_PRISAM_COMPLETE").get_completions(before, last)
    return [item.value for item in found]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "runs"])
def test_everything_has_a_name_and_a_line_about_it(kind):
    found = items(kind)
    assert len(found) >= 3
    for item in found:
        assert len(item["description"]) > 20, item
        assert "\n" not in item["description"], item


def test_the_files_of_the_package_are_listed():
    assert [i["name"] for i in items("topologies")] == sorted(
        path.stem for path in TOPOLOGIES.glob("*.toml")
    )
    assert [i["path"] for i in items("profiles")] == sorted(map(str, PEERS.glob("*.toml")))
    assert {"smoke", "paper/study-churn"} <= {i["name"] for i in items("experiments")}


def test_what_is_in_code_is_listed():
    assert [i["name"] for i in items("algorithms")] == list(Algorithm)
    assert [i["name"] for i in items("splits")] == list(Split)
    assert [i["name"] for i in items("groupings")] == list(Grouping)
    assert set(MODELS) == set(BUILT_IN)


@pytest.mark.parametrize("kind", list(CodeKind))
def test_what_installed_packages_offer_is_listed_and_completed(here, kind, monkeypatch):
    info = here / "theirs-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[{kind.group}]\nmine = not_there:mine\n")
    monkeypatch.syspath_prepend(here)
    installed.cache_clear()
    *ours, last = items(f"{kind}s")
    words = completed("launch", f"--{kind}", "min")
    installed.cache_clear()
    assert words == ["mine"]
    assert (last["name"], last["description"]) == ("mine", "of theirs 1.2")
    assert len(ours) >= 3


def test_own_files_are_listed_with_their_paths_also_if_they_are_broken(here):
    (here / "topologies").mkdir()
    (here / "topologies" / "ring-8.toml").write_text('description = "my ring"\n')
    (here / "topologies" / "odd.toml").write_text("= 1")
    text = listed("topologies")
    assert "my ring (topologies/ring-8.toml)" in text
    assert "odd             cannot be read: topologies/odd.toml = " in text
    assert "star-9.toml" not in text


def test_runs_are_listed_with_what_ran_and_how_it_ended(here):
    assert listed("runs").splitlines()[-1] == "none"
    run = here / "runs" / "one"
    run.mkdir(parents=True)
    orderly().write(run)
    (item,) = items("runs")
    assert (item["name"], item["path"]) == ("one", "runs/one")
    assert item["description"].endswith(": no summary yet")
    (run / "summary.json").write_text('{"status": "completed", "rounds": 2, "rounds_done": 2}')
    assert items("runs")[0]["description"].endswith(": completed, 2 of 2 rounds")


@pytest.mark.parametrize("plan", ["[]", "3", '{"settings": []}', '{"settings": "x"}', "{half"])
@pytest.mark.parametrize("summary", ["[]", "{half", '{"status": 3}'])
def test_a_run_whose_files_are_none_of_ours_does_not_hide_the_others(here, plan, summary):
    odd = here / "runs" / "odd"
    odd.mkdir(parents=True)
    (odd / "plan.json").write_text(plan)
    (odd / "summary.json").write_text(summary)
    one = here / "runs" / "one"
    one.mkdir()
    orderly().write(one)
    assert {item["name"] for item in items("runs")} == {"odd", "one"}
    assert "? on ?, seed ?: " in listed("runs")


def test_without_a_kind_all_are_listed():
    first_words = [line.split()[0] for line in listed().splitlines() if line]
    assert [word for word in first_words if word in KINDS] == list(KINDS)
    assert list(json.loads(listed("--format", "json"))) == list(KINDS)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["launch", "clusters"], ["clusters-12", "clusters-20"]),
        (["launch", "ring-8", "--faults", "churn"], ["churn-30"]),
        (["launch", "--model", "vgg"], ["vgg-s", "vgg11"]),
        (["launch", "--algorithm", "oracle"], ["oracle", "oracle-pruned"]),
        (["launch", "--algorithm", "./mi"], ["./mi"]),  # a path, for the shell to complete
        (["check", "fedavg-r"], ["fedavg-random"]),
        (["plan", "ri"], ["ring-8"]),
        (["soak", "st"], ["star-9"]),
        (["experiment", "paper/study-c"], ["paper/study-churn", "paper/study-clusters"]),
        (["list", "m"], ["models"]),
        (["verify", "one", "t"], ["two"]),
        (["sql", "o"], ["one"]),
        (["bytes", ""], ["two", "one"]),
    ],
    ids=" ".join,
)
def test_a_shell_completes_names(here, words, found):
    for i, name in enumerate(("one", "two")):
        plan = here / "runs" / name / "plan.json"
        plan.parent.mkdir(parents=True)
        plan.write_text("{}")
        os.utime(plan, (i, i))
    assert completed(*words) == found


def test_a_reader_that_ends_early_is_no_error():
    command = [sys.executable, "-c", "from prisam_p2p.cli import main; main()", "list"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        program.stdout.close()
        assert program.stderr.read() == b""
