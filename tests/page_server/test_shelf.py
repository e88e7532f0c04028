"""Which runs and experiments a folder is said to hold, and by which numbers pages ask for them."""

import fcntl
import json
import os

import pytest

from prisam_p2p.page_server.list_page import list_page
from prisam_p2p.page_server.liveness import is_running
from prisam_p2p.page_server.shelf import FolderKind, Shelf, holds_any, kind_of

HOSTILE = "<img src=x onerror=alert(1)>"


def run(folder, began_s=1000, **summary):
    (folder / "journal").mkdir(parents=True)
    (folder / "journal" / "launcher.jsonl").touch()
    (folder / "plan.json").write_text("{}")
    os.utime(folder / "plan.json", (began_s, began_s))
    if summary:
        (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def about(listing):
    return [(each.name, each.status, each.headline) for each in listing.shelved]


def test_the_newest_stand_first_with_how_they_ended(tmp_path):
    run(tmp_path / "one", 1000, status="completed", headline="all is well")
    run(tmp_path / "two", 2000)
    (tmp_path / "no-run").mkdir()
    (tmp_path / "file").touch()
    assert about(Shelf().listing(tmp_path)) == [
        ("two", "killed", ""),
        ("one", "completed", "all is well"),
    ]


def test_a_run_whose_launcher_lives_is_running_and_the_look_disturbs_nobody(tmp_path):
    path = run(tmp_path / "one", status="interrupted", headline="before the resume")
    with (path / "journal" / "launcher.jsonl").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert about(Shelf().listing(tmp_path)) == [("one", "running", "")]
    assert not is_running(path)
    with (path / "journal" / "launcher.jsonl").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises if a look held it still


def test_a_summary_is_read_again_when_it_has_changed(tmp_path):
    shelf, path = Shelf(), run(tmp_path / "one", status="interrupted", headline="first")
    assert about(shelf.listing(tmp_path)) == [("one", "interrupted", "first")]
    (path / "summary.json").write_text(json.dumps({"status": "completed", "headline": "second"}))
    assert about(shelf.listing(tmp_path)) == [("one", "completed", "second")]


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, '{"status": 3}', "\udcff"])
def test_a_summary_that_cannot_be_read_leaves_the_run_in_the_list(tmp_path, text):
    path = run(tmp_path / "one")
    (path / "summary.json").write_bytes(text.encode(errors="surrogateescape"))
    [(name, _, headline)] = about(Shelf().listing(tmp_path))
    assert (name, headline) == ("one", "")


def test_thousands_of_runs_are_listed_up_to_a_number_and_the_rest_is_said(tmp_path):
    for n in range(30):
        run(tmp_path / f"r{n:02}", n, status="completed", headline="x")
    shelf = Shelf()
    listing = shelf.listing(tmp_path, shown=10)
    assert [each.name for each in listing.shelved] == [f"r{n}" for n in range(29, 19, -1)]
    assert listing.left_out == 20
    assert "20 older ones are left out" in list_page(listing)
    assert shelf.folder("9") == tmp_path / "r20"
    assert shelf.folder("10") is None  # what is not listed cannot be asked for


def test_a_number_never_means_another_run_later(tmp_path):
    shelf = Shelf()
    run(tmp_path / "old", 1000)
    [old] = shelf.listing(tmp_path).shelved
    run(tmp_path / "new", 2000)
    new, again = shelf.listing(tmp_path).shelved
    assert (again.name, again.number) == ("old", old.number)
    assert new.number != old.number
    assert shelf.folder(str(old.number)) == tmp_path / "old"


@pytest.mark.parametrize("number", ["", "1", "-1", "../..", "0x0", "0 ", "٠", "9" * 5000, "/etc"])
def test_what_is_no_number_of_the_shelf_is_no_folder(tmp_path, number):
    shelf = Shelf()
    shelf.number(tmp_path)
    assert shelf.folder("0") == tmp_path
    assert shelf.folder(number) is None


def test_an_experiment_is_listed_beside_runs_and_lists_its_cells(tmp_path):
    run(tmp_path / "alone")
    for name in ("rho-0", "rho-1"):
        run(tmp_path / "grid" / "cells" / name / "run", status="completed", headline=name)
    assert kind_of(tmp_path / "grid") is FolderKind.EXPERIMENT
    listing = Shelf().listing(tmp_path)
    found = {each.name: (each.kind, each.status) for each in listing.shelved}
    assert found["grid"] == (FolderKind.EXPERIMENT, "2 cells")
    cells = Shelf().listing(tmp_path / "grid")
    assert sorted(each.name for each in cells.shelved) == ["rho-0", "rho-1"]
    assert all(each.kind is FolderKind.RUN for each in cells.shelved)


def test_a_folder_without_runs_is_told_from_one_with_some(tmp_path):
    assert not holds_any(tmp_path)
    assert "no run and no experiment" in list_page(Shelf().listing(tmp_path))
    run(tmp_path / "one")
    assert holds_any(tmp_path)
    assert not holds_any(tmp_path / "not there")


def test_names_and_headlines_are_text_on_the_page(tmp_path):
    run(tmp_path / HOSTILE.replace("/", ""), status=HOSTILE, headline=HOSTILE)
    page = list_page(Shelf().listing(tmp_path))
    assert "<img" not in page
    assert page.count("&lt;img") == 3
