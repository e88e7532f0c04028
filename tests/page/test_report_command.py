"""`prisam report` writes one file, says where, and leaves nothing half."""

import base64
import gzip
import json
import re

import pytest
from click.testing import CliRunner
from hand_runs import announced, orderly

from prisam_p2p.cli import main
from prisam_p2p.page.redact import Words


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "runs" / "ring-one"
    folder.mkdir(parents=True)
    announced(orderly()).write(folder)
    return folder


def report(*words):
    return CliRunner().invoke(main, ["report", *map(str, words)])


def test_the_page_stands_in_the_run_s_folder_and_its_size_is_told(run):
    done = report(run)
    assert done.exit_code == 0
    path = run / "report.html"
    told = f"{path} ({path.stat().st_size / 2**20:.2f} MiB)"
    assert told in done.output.replace("\n", "")
    assert [each.name for each in run.iterdir() if each.name.endswith(".part")] == []


def test_a_run_is_found_by_the_beginning_of_its_name_and_the_file_may_be_elsewhere(
    run, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert report("ring", "--out", "page.html").exit_code == 0
    assert report().exit_code == 0
    assert (tmp_path / "page.html").read_text() == (run / "report.html").read_text()


def test_a_folder_that_is_no_run_and_a_file_that_cannot_be_written_are_told(run, tmp_path):
    missing = report(tmp_path / "none")
    assert (missing.exit_code, missing.exception.__class__) == (2, SystemExit)
    assert "RUN" in missing.output
    second = report(run, tmp_path / "none")
    assert second.exit_code == 2
    assert "RUN2" in second.output
    unwritten = report(run, "--out", tmp_path / "no" / "page.html")
    assert unwritten.exit_code == 1
    assert str(tmp_path / "no" / "page.html") in unwritten.output


def test_a_run_that_was_killed_and_torn_is_written_all_the_same(run):
    journals = sorted((run / "journal").glob("*.jsonl"))
    journals[0].write_bytes(journals[0].read_bytes()[:-20] + b"\xff\x00")
    journals[1].unlink()
    assert report(run).exit_code == 0


def test_a_redacted_page_does_not_name_the_folder(run, tmp_path):
    plan = json.loads((run / "plan.json").read_text())
    plan["settings"]["data_dir"] = "/home/somebody/data"
    (run / "plan.json").write_text(json.dumps(plan))
    assert report(run, "--redact").exit_code == 0
    page = (run / "report.html").read_text()
    data = re.search(r'<script type="application/gzip;base64" id="data">([^<]*)<', page)[1]
    shown = page.split("<style>")[0] + gzip.decompress(base64.b64decode(data)).decode()
    assert "triangle" in shown
    assert "ring-one" not in shown
    assert "somebody" not in shown


def test_marks_that_turn_the_direction_of_text_are_made_visible():
    assert Words(redact=False).text("a\u202ebc") == "a\ufffdbc"
    assert Words(redact=False).value(["\u2066x"]) == ["\ufffdx"]
