"""Folders of runs that were killed, torn, old or made to harm: the page says what is missing."""

import json
import os

import pytest
from big_run import BigRun, write_big_run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from launching import asked

from prisam_p2p.errors import ConfigError
from prisam_p2p.page.data.checked_lines import is_sound, parse
from prisam_p2p.page.data.fold import PageData
from prisam_p2p.page.data.run_page import SoundRun, page_data_of
from prisam_p2p.report.ledger import make_ledger
from prisam_p2p.report.run_folder import RunFolder
from prisam_p2p.report.summary import summarize

SMALL = BigRun(peers=4, rounds=2, degree=None, groups=2)


@pytest.fixture
def folder(tmp_path):
    return write_big_run(tmp_path / "run", SMALL)


def page_of(folder, **more):
    (run,) = page_data_of(RunFolder(folder), **more)["runs"]
    json.dumps(run, allow_nan=False)  # JSON that a browser reads
    return run


def missing_of(folder):
    return "\n".join(page_of(folder)["facts"]["missing"])


def journal(folder, name):
    return folder / "journal" / f"{name}.jsonl"


def tiles_of(page):
    columns = page["tables"]["tiles"]["columns"]
    return dict(zip(columns["id"], columns["value"], strict=True))


def n_rows(page, name):
    return len(next(iter(page["tables"][name]["columns"].values())))


# -- the same figures as everywhere ----------------------------------------------------


def test_every_tile_is_what_the_summary_prints(folder):
    code, printed = asked("summary", folder)
    assert code == 0
    tiles = tiles_of(page_of(folder))
    assert f"after training, {tiles['accuracy']} deployed" in printed
    assert f"in round 0, {tiles['ari']} last" in printed
    assert f"{tiles['unexplained']} unexplained" in printed
    assert f"checks: {tiles['checks'].split(',')[0]}" in printed
    summary = json.loads((folder / "summary.json").read_text())
    wire = sum(each["wire"] for each in summary["bytes"].values())
    assert tiles["wire"] == f"{wire / 2**20:.2f}"
    assert tiles["status"] == summary["status"] == "completed"
    details = page_of(folder)["tables"]["tiles"]["columns"]["detail"]
    for detail in details:
        for line in detail.split("; "):
            assert line in printed or line in ("no fault was planned", "the run had no baseline")


def test_the_rand_index_is_the_summary_s(folder):
    run = RunFolder(folder)
    of_summary = summarize(run, make_ledger(run))["grouping"]["ari_by_round"]
    assert page_of(folder)["tables"]["ari"]["columns"]["ari"] == of_summary


def test_wire_of_the_last_accuracy_is_what_a_peer_moved(folder):
    page, ledger = page_of(folder), make_ledger(RunFolder(folder))
    columns = page["tables"]["accuracy"]["columns"]
    last = {
        peer: wire
        for peer, moment, wire in zip(
            columns["peer"], columns["moment"], columns["wire_mib"], strict=True
        )
        if moment == 2
    }
    for number, peer in enumerate(SMALL.ids):
        moved = sum(row.wire for row in ledger.rows if peer in (row.sender, row.receiver))
        assert last[number] == pytest.approx(moved / 2**20, abs=1e-3)


def test_the_closure_ends_with_the_wire_of_prisam_bytes(folder):
    columns = page_of(folder)["tables"]["closure"]["columns"]
    wire = sum(row.wire for row in make_ledger(RunFolder(folder)).rows)
    steps = list(zip(columns["label"], columns["n_bytes"], columns["kind_of_step"], strict=True))
    assert steps[-1] == ("wire", wire, "sum")
    assert sum(n for _, n, kind in steps if kind == "part") == wire
    stream = [label for label, *_ in steps].index("stream")
    assert steps[stream][1] == sum(n for _, n, _ in steps[:stream])


# -- what is missing -------------------------------------------------------------------


def test_a_killed_run_says_that_it_did_not_end(tmp_path):
    page = page_of(write_big_run(tmp_path / "run", BigRun(peers=4, rounds=9, recorded=2)))
    assert page["facts"]["status"] == "killed"
    assert "not ended" in page["facts"]["headline"]
    assert page["facts"]["rounds_done"] == 2
    assert tiles_of(page)["accuracy"] == "-"


def test_an_interrupted_run_has_its_status(folder):
    lines = journal(folder, "launcher").read_text().splitlines()
    ended = {**json.loads(lines[-1]), "status": "interrupted"}
    journal(folder, "launcher").write_text("\n".join([*lines[:-1], json.dumps(ended)]) + "\n")
    assert page_of(folder)["facts"]["status"] == "interrupted"


def test_an_old_folder_says_what_it_never_recorded(tmp_path):
    page = page_of(write_big_run(tmp_path / "run", BigRun(4, 2, None, groups=2, extras=False)))
    told = "\n".join(page["facts"]["missing"])
    assert "no phases of peers" in told
    assert "no accuracies by class" in told
    assert n_rows(page, "spans") == 0
    assert n_rows(page, "pulls") > 0


def test_a_last_line_that_is_cut_off_is_told(folder):
    with journal(folder, "p001").open("a") as file:
        file.write('{"t_s":99.0,"record":"trai')
    assert "the last line of the journal of p001 is cut off" in missing_of(folder)


def test_a_journal_that_is_not_there_is_told(folder):
    journal(folder, "p002").unlink()
    assert "the journal of p002 is not there" in missing_of(folder)


def test_a_journal_that_is_no_file_is_told(folder):
    journal(folder, "p002").unlink()
    os.mkfifo(journal(folder, "p002"))  # nobody writes to it: to open it would wait for ever
    assert "the journal of p002 is not there" in missing_of(folder)


def test_a_missing_summary_is_told(folder):
    assert "summary.json is not there" in missing_of(folder)
    asked("summary", folder)
    assert "summary.json" not in missing_of(folder)


def test_a_folder_without_journals_has_a_page(folder):
    for path in (folder / "journal").iterdir():
        path.unlink()
    page = page_of(folder)
    assert n_rows(page, "peers") == 4
    assert page["facts"]["status"] == "killed"


# -- lines that do harm ----------------------------------------------------------------

TRAINED = json.loads(
    '{"t_s":1.0,"record":"trained","round":0,"epochs":1,"steps":1,"images":1,"loss":0.5,'
    '"learning_rate":0.1,"parameters":1,"cpu_s":0.1,"wall_s":0.1,"speed_asked":1.0,'
    '"speed_achieved":1.0}'
)
HOSTILE = [
    b"no JSON\n",
    b"[1, 2]\n",
    b'"text"\n',
    b"[" * 100_000 + b"\n",
    b"\xff\xfe\n",
    b'{"record":"trained"}\n',
    b'{"t_s":1.0,"record":["trained"]}\n',
    *(
        json.dumps({**TRAINED, name: value}).encode() + b"\n"
        for name, value in [
            ("t_s", "1.0"),
            ("t_s", float("inf")),
            ("t_s", 10**400),
            ("round", 1.5),
            ("round", -7),
            ("round", 3),
            ("round", True),
            ("round", 10**30),
            ("wall_s", None),
            ("wall_s", [1.0]),
            ("speed_achieved", {"a": 1}),
        ]
    ),
    b'{"t_s":1.0,"record":"trained","round":0}\n',
    b'{"t_s":1.0,"record":"spans","round":0,"spans":[["training",1.0]]}\n',
    b'{"t_s":1.0,"record":"spans","round":0,"spans":[["training",1.0,"2"]]}\n',
    b'{"t_s":1.0,"record":"heard","round":0,"peers":[],"missing":{"p001":3},"waited_s":1,'
    b'"deadline_s":1}\n',
    b'{"t_s":1.0,"record":"grouped","round":0,"labels":{"p001":"0"},"group":["p001"]}\n',
    b'{"t_s":1.0,"record":"traffic","round":0,"final":false,"rows":[[0,"in",null]]}\n',
]


@pytest.mark.parametrize("line", HOSTILE, ids=lambda line: line[:70].decode("latin-1").strip())
def test_a_line_that_is_no_sound_record_is_counted_and_told(folder, line):
    before = page_of(folder)["tables"]
    with journal(folder, "p001").open("ab") as file:
        file.write(line)
    page = page_of(folder)
    told = "1 line of the journal p001 cannot be read, and is left out"
    assert told in page["facts"]["missing"]
    assert page["tables"]["accuracy"] == before["accuracy"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_no_line_with_other_values_raises(small_lines, data):
    name, line = data.draw(st.sampled_from(small_lines))
    changed = {**line, data.draw(st.sampled_from(sorted(line))): data.draw(VALUES)}
    page = PageData(json.loads(json.dumps(PLAN)))
    page.take(name, line)
    page.take(name, changed)
    json.dumps(page.payload(), allow_nan=False)
    page.changes()


@pytest.fixture(scope="module")
def small_folder(tmp_path_factory):
    return write_big_run(tmp_path_factory.mktemp("runs") / "run", SMALL)


@pytest.fixture(scope="module")
def small_lines(small_folder):
    run = SoundRun(small_folder)
    PLAN.update(run.plan)
    return [(name, line) for name, (lines, *_) in run.read.items() for line in lines[:60]]


PLAN: dict = {}


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_no_folder_with_such_a_line_raises(small_folder, small_lines, data):
    name, line = data.draw(st.sampled_from(small_lines))
    field = data.draw(st.sampled_from(sorted(line)))
    value = data.draw(st.integers(-1, 3) | st.floats(0, 3) | st.text(max_size=4) | VALUES)
    path = journal(small_folder, name)
    before = path.read_bytes()
    with path.open("a") as file:
        file.write(json.dumps({**line, field: value}) + "\n")
    try:
        page_of(small_folder)
        page_of(small_folder, redact=True)
    finally:
        path.write_bytes(before)


@settings(deadline=None, max_examples=60)
@given(key=st.sampled_from(["peers", "settings", "model", "clusters", "traits"]), value=VALUES)
def test_no_plan_raises(small_lines, key, value):
    PageData({**PLAN, key: value}).payload()


def test_every_record_of_the_journals_is_sound(small_lines):
    assert all(is_sound(line, SMALL.rounds) for _, line in small_lines)
    assert parse(b'{"a": 1}') == {"a": 1}


def test_a_journal_that_contradicts_itself_has_a_page(folder):
    """Each line is sound, but no ledger follows from them."""
    rows = [[0, "in", "no such kind", 0, 1, 1, 1, 1, 1], [1, "in"]]
    line = {"t_s": 50.0, "record": "traffic", "round": 0, "final": True, "rows": rows}
    with journal(folder, "p001").open("a") as file:
        file.write(json.dumps(line) + "\n")
    page = page_of(folder)
    assert "cannot be computed" in "\n".join(page["facts"]["missing"])
    assert n_rows(page, "accuracy") > 0


def test_numbers_of_no_run_take_no_time(folder):
    """Else what counts chunks or rounds one by one would count for ever."""
    rows = [[0, "in", "mask", 2**53, 1, 344, 7, 4, 1]]
    for line in (
        {"t_s": 50.0, "record": "announced", "round": 0, "n_bytes": 2**53, "reached": ["p000"]}
        | {"unreachable": []},
        {"t_s": 50.0, "record": "traffic", "round": 0, "final": False, "rows": rows},
    ):
        with journal(folder, "p001").open("a") as file:
            file.write(json.dumps(line) + "\n")
    assert "what pushing everything costs cannot be computed" in missing_of(folder)


def test_an_id_leads_nowhere_outside_the_folder(folder):
    plan = json.loads((folder / "plan.json").read_text())
    plan["peers"]["../../outside"] = plan["peers"]["p000"]
    (folder / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(ConfigError, match="outside"):
        page_data_of(RunFolder(folder))


def test_a_stranger_s_name_in_a_record_is_no_peer(folder):
    name = "<img src=x onerror=alert(1)>"
    with journal(folder, "p001").open("a") as file:
        line = {"t_s": 50.0, "record": "pull_failed", "round": 1, "donor": name, "reason": name}
        file.write(json.dumps(line) + "\n")
    pulls = page_of(folder)["tables"]["pulls"]["columns"]
    at = pulls["outcome"].index("failed")
    assert (pulls["donor"][at], pulls["reason"][at]) == (-1, name)


# -- redacted --------------------------------------------------------------------------

SECRETS = ["anna", "/home", "example.org", "10.1.2.3", "C:\\\\", "--token", ".py", "secrethost"]


def test_a_redacted_page_says_nothing_of_whose_machine_it_was(folder):
    plan = json.loads((folder / "plan.json").read_text())
    plan["settings"] |= {"data_dir": "/home/anna/images", "algorithm": "/home/anna/mine.py:rounds"}
    plan["host"] |= {"node": "secrethost", "system": "Linux-6.1-secrethost"}
    plan["code"] = {"algorithm": {"reference": "/home/anna/mine.py:rounds"}}
    (folder / "plan.json").write_text(json.dumps(plan))
    harm = (
        "OSError: /home/anna/x: python -m mine --token=7, anna@example.org 10.1.2.3:55 C:\\\\Users"
    )
    with journal(folder, "p001").open("a") as file:
        for line in (
            {"t_s": 50.0, "record": "pull_failed", "round": 1, "donor": "p000", "reason": harm},
            {"t_s": 50.1, "record": "memory_exceeded", "round": 1, "error": harm}
            | {"asked_mib": 1.0, "used_mib": None},
            {"t_s": 50.2, "record": "finished", "state": "failed", "rounds": 1, "reason": harm},
            {"t_s": 50.3, "record": "heard", "round": 1, "peers": [], "missing": {"p000": harm}}
            | {"waited_s": 1.0, "deadline_s": 1.0},
        ):
            file.write(json.dumps(line) + "\n")
    plain = json.dumps(page_of(folder), ensure_ascii=False)
    assert all(secret in plain for secret in SECRETS if secret != "C:\\\\")
    redacted = page_of(folder, redact=True)
    text = json.dumps(redacted, ensure_ascii=False)
    assert [secret for secret in SECRETS if secret in text] == []
    assert str(folder.parent) not in text
    assert folder.parent.name not in text
    assert redacted["facts"]["redacted"] is True
    assert redacted["tables"]["peers"]["columns"]["id"] == SMALL.ids
    assert redacted["tables"]["mask_bits"] == page_of(folder)["tables"]["mask_bits"]
    assert redacted["tables"]["groups"] == page_of(folder)["tables"]["groups"]
    assert "(left out)" in text
