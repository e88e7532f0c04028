"""A run that is read while it grows: what changed, and in the end the same as a report has."""

import json
import random
import shutil

import pytest
from growing_run import GrowingRun
from hand_runs import orderly

from prisam_p2p.errors import ConfigError
from prisam_p2p.page.data.run_page import page_data_of
from prisam_p2p.page.data.tables import TABLES
from prisam_p2p.page_server.run_reader import RunReader
from prisam_p2p.report.run_folder import RunFolder
from prisam_p2p.report.summary import write_summary


@pytest.fixture
def run(tmp_path):
    return GrowingRun(tmp_path / "run")


class Reading:
    """Looks, and keeps what a page would have."""

    def __init__(self, path, note=False):
        self._reader, self._at_s = RunReader(path, note), 100.0
        self.news = []
        self.facts, self.rows = {}, {}

    def look(self, after_s=1.0, is_watched=False):
        self._at_s += after_s
        look = self._reader.look(self._at_s, is_watched)
        if look is None:
            return None
        if look.is_new:
            self.facts, self.rows = {}, {}
        self._take(self._reader.payload() if look.is_new else look.update)
        return look

    def _take(self, update):
        self.facts |= update.get("facts", {})
        for name, table in update.get("tables", {}).items():
            columns = table["columns"]
            for values in zip(*columns.values(), strict=True):
                row = dict(zip(columns, values, strict=True))
                self.rows[name, tuple(row[key] for key in TABLES[name].keys)] = row

    def table(self, name):
        return [row for (table, _), row in self.rows.items() if table == name]


def reported(path):
    """Return what the report of a run folder has, as a Reading keeps it."""
    reading = Reading(path)
    [payload] = page_data_of(RunFolder(path))["runs"]
    reading._take(payload)
    return reading


def columns(update):
    return {name: len(next(iter(t["columns"].values()))) for name, t in update["tables"].items()}


def test_there_is_nothing_to_show_before_the_run_has_begun(tmp_path):
    reading = Reading(tmp_path / "run")
    assert reading.look() is None
    (tmp_path / "run" / "journal").mkdir(parents=True)
    assert reading.look() is None
    (tmp_path / "run" / "plan.json").write_text(json.dumps({"peers": {}}))
    assert reading.look() is None  # faults.json may be yet to come
    shutil.rmtree(tmp_path / "run")
    begun = GrowingRun(tmp_path / "run")
    assert reading.look().is_new
    assert reading.facts["status"] == "running"
    begun.die()


def test_a_record_that_was_appended_is_what_the_next_look_tells(run):
    reading = Reading(run.path)
    run.evaluate("p01", 0)
    assert reading.look().is_new
    run.evaluate("p02", 0, test=0.75)
    run.evaluate("p02", 1)
    look = reading.look()
    assert not look.is_new
    assert columns(look.update)["accuracy"] == 2
    assert [row["test"] for row in reading.table("accuracy")] == [0.5, 0.75, 0.5]
    assert columns(reading.look().update) == {}


def test_a_run_that_ended_is_concluded_when_its_summary_is_there(run):
    reading = Reading(run.path)
    run.evaluate("p01", 0)
    reading.look()
    run.end()
    reading.look()
    assert reading.table("checks") == []
    write_summary(RunFolder(run.path))
    reading.look()
    assert reading.facts["status"] == "completed"
    assert reading.table("checks") != []


def test_a_run_that_ended_without_a_summary_is_concluded_after_a_while(run):
    reading = Reading(run.path)
    reading.look()
    run.end()
    reading.look()
    assert reading.table("checks") == []
    reading.look(after_s=20.0)
    assert reading.table("checks") != []


def test_a_run_whose_launcher_was_killed_is_told_so(run):
    reading = Reading(run.path)
    reading.look()
    reading.look(after_s=20.0)
    assert reading.facts["status"] == "running"  # it is quiet, but its launcher lives
    run.die()
    reading.look(after_s=20.0)
    assert reading.facts["status"] == "killed"


def test_a_run_that_was_over_at_the_first_look_is_concluded_at_once(run):
    run.die()
    reading = Reading(run.path)
    reading.look()
    assert reading.facts["status"] == "killed"


def test_a_run_that_is_resumed_runs_again(run):
    reading = Reading(run.path)
    run.end("interrupted")
    reading.look()
    assert reading.facts["status"] == "interrupted"
    run.hold()
    run.add("launcher", "run_started", run_id="x", algorithm="prisam", peers=3, pid=1, launches=1)
    run.evaluate("p01", 0)
    assert reading.look().is_new  # what the first end told does not hold any more
    assert reading.facts["status"] == "running"
    assert reading.table("checks") == []


@pytest.mark.parametrize("file", ["plan.json", "journal/p01.jsonl"])
def test_another_run_in_the_same_folder_is_told_as_new(run, tmp_path, file):
    run.evaluate("p01", 0)
    run.evaluate("p01", 1)
    reading = Reading(run.path)
    reading.look()
    (run.path / "journal" / "p02.jsonl").unlink(missing_ok=True)
    other = GrowingRun(tmp_path / "other")
    other.evaluate("p01", 1, test=0.25)
    (other.path / file).replace(run.path / file)
    assert reading.look().is_new
    assert not reading.look().is_new


def test_a_folder_that_vanishes_leaves_the_page_as_it_was(run):
    run.evaluate("p01", 0)
    reading = Reading(run.path)
    reading.look()
    shutil.rmtree(run.path)
    assert not reading.look().is_new
    assert len(reading.table("accuracy")) == 1
    assert reading.facts["status"] == "gone"
    assert reading.look().update == {}


def test_a_plan_that_cannot_be_read_is_an_error_that_names_the_folder(run):
    (run.path / "plan.json").write_text("{")
    with pytest.raises(ConfigError, match=str(run.path)):
        Reading(run.path).look()


@pytest.mark.parametrize("seed", range(6))
def test_in_the_end_the_page_has_what_the_report_has(tmp_path, seed):
    draw = random.Random(seed)
    whole, grown = tmp_path / "whole" / "run", tmp_path / "grown" / "run"
    whole.mkdir(parents=True)
    orderly().write(whole)
    states = dict.fromkeys(("p01", "p02", "p03"), "completed")
    end = {"t_s": 20.0, "record": "run_ended", "status": "completed", "duration_s": 20.0}
    (whole / "journal" / "launcher.jsonl").write_text(json.dumps({**end, "states": states}) + "\n")
    write_summary(RunFolder(whole))
    with (whole / "journal" / "p02.jsonl").open("ab") as file:
        file.write(b'{"t_s": 1.0, "record": "heard", "round": "none"}\n{"torn')
    left = {path.name: path.read_bytes() for path in (whole / "journal").iterdir()}
    last = left.pop("launcher.jsonl")
    launcher = GrowingRun(grown)
    (grown / "journal" / "launcher.jsonl").write_bytes(b"")
    reading = Reading(grown)
    while left:
        name = draw.choice(sorted(left))
        cut = draw.randint(1, 200)
        with (grown / "journal" / name).open("ab") as file:
            file.write(left[name][:cut])
        left[name] = left[name][cut:]
        if not left[name]:
            del left[name]
        if draw.random() < 0.5:
            reading.look()
    (grown / "journal" / "launcher.jsonl").write_bytes(last)
    launcher.die()
    reading.look()
    shutil.copy(whole / "summary.json", grown)
    reading.look()
    assert reading.rows == reported(whole).rows
    assert reading.facts == reported(whole).facts
    assert any("p02 cannot be read" in each for each in reading.facts["missing"])


def watches(path):
    file = path / "watched.jsonl"
    lines = map(json.loads, file.read_text().splitlines()) if file.exists() else []
    return [(line["from_s"], line["to_s"]) for line in lines]


def test_a_run_notes_from_when_to_when_it_was_watched_while_it_ran(run):
    run.evaluate("p01", 0)  # at 0.5 s
    reading = Reading(run.path, note=True)
    reading.look()
    assert watches(run.path) == []
    reading.look(is_watched=True)
    run.evaluate("p01", 1)  # at 0.75 s
    reading.look(is_watched=True)
    assert watches(run.path) == [(0.5, None)]
    reading.look()
    assert watches(run.path) == [(0.5, None), (0.5, 0.75)]
    assert reading.facts["watched"] == [[0.5, 0.75]]
    assert reported(run.path).facts["watched"] == [[0.5, 0.75]]


def test_the_note_ends_with_the_run_and_a_run_that_is_over_gets_none(run):
    reading = Reading(run.path, note=True)
    reading.look(is_watched=True)
    run.end()
    write_summary(RunFolder(run.path))
    reading.look(is_watched=True)
    assert watches(run.path) == [(0.25, None), (0.25, 0.5)]
    again = Reading(run.path, note=True)
    again.look(is_watched=True)
    assert len(watches(run.path)) == 2


def test_a_folder_that_takes_no_note_is_shown_all_the_same(run, tmp_path):
    outside = tmp_path / "outside"
    (run.path / "watched.jsonl").symlink_to(outside)  # a stranger's trap
    reading = Reading(run.path, note=True)
    assert reading.look(is_watched=True).is_new
    assert not outside.exists()
