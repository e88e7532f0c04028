"""A run folder from a stranger, which names code and holds pickles: reading it runs nothing."""

import json
import pickle
import sys

import pytest
from hand_runs import announced, orderly
from launching import asked, refused
from viewing import viewer

import prisam_p2p as pp
from prisam_p2p.cli import main
from prisam_p2p.errors import ConfigError
from prisam_p2p.export.place import EXPORTS
from prisam_p2p.learn.personalized import load_personalized
from prisam_p2p.measure.folders import FAULTS, TWIN, baseline_folder
from prisam_p2p.plan.user_code import code_named
from prisam_p2p.report.run_folder import RunFolder
from prisam_p2p.settings import RunSettings, about

EVIL = "from pathlib import Path\nPath({path!r}).touch()\n\ndef rounds(me): ...\n"
EVALUATED = {
    "t_s": 5.0,
    "record": "evaluated",
    "round": 0,
    "moment": "after_training",
    "validation": 0.5,
    "test": 0.5,
}
PICKLES = (
    "summary.json",
    "ledger.parquet",
    "connections.parquet",
    "split.txt",
    "models/p01.safetensors",
    "state/p01.safetensors",
    "logs/p01.log",
)
WRITTEN = {"summary.json", "ledger.parquet", "connections.parquet"}
"""What `prisam summary` writes anew."""
REPORT, TRACE = "report.html", "trace.json"


class Touches:
    """Unpickled, it touches a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.fixture
def touched(tmp_path):
    """The file that is there once something of the stranger's ran."""
    return tmp_path / "touched"


def write_run(folder, touched, reference, code):
    """Write a run whose plan names code for all that it can, with pickles for all other files."""
    folder.mkdir(parents=True)
    read = announced(orderly())
    read.records["p01"] += [dict(EVALUATED)]
    read.write(folder)
    for name in PICKLES:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(pickle.dumps(Touches(touched)))
    plan = json.loads((folder / "plan.json").read_text())
    named = [key for key, field in RunSettings.model_fields.items() if about(field).code]
    plan["settings"] |= dict.fromkeys(named, reference)
    record = {"reference": reference, "origin": "file", "distribution": "", "version": ""}
    record |= {"file": str(code / "evil_rounds.py"), "sha256": "0" * 64}
    plan["code"] = dict.fromkeys([*named, "../../../escaped"], record)
    (folder / "plan.json").write_text(json.dumps(plan))


@pytest.fixture(params=["evil_rounds:rounds", "{code}/evil_rounds.py:rounds"])
def run(request, tmp_path, touched, monkeypatch):
    """Return the run folder, in ./runs; its code is named by module or by file.

    A control run and a baseline inside it are the stranger's, too.
    """
    folder = tmp_path / "runs" / "stranger-1"
    code = folder / "code" / "algorithm"
    reference = request.param.format(code=code)
    for each in (folder, folder / TWIN, baseline_folder(folder, "theirs")):
        write_run(each, touched, reference, code)
    code.mkdir(parents=True)
    for place in (code, tmp_path):
        (place / "evil_rounds.py").write_text(EVIL.format(path=str(touched)))
    monkeypatch.syspath_prepend(code)
    monkeypatch.chdir(tmp_path)
    return folder


def files_in(folder):
    """Return path -> content of all files that reading must leave alone."""
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
        and path.name not in (*WRITTEN, REPORT, TRACE)
        and EXPORTS not in path.relative_to(folder).parts
    }


READING = [
    ("report", "{run}"),
    ("report", "stra", "--redact"),
    ("trace", "{run}"),
    ("trace", "stra", "--redact"),
    ("export", "{run}", "--to", "csv", "--peers", "all"),
    ("summary", "{run}"),
    ("summary", "{run}", "--format", "json", "--all"),
    ("summary",),
    ("summary", "stra"),
    ("bytes", "{run}"),
    ("bytes", "stra"),
    ("sql", "{run}", "SELECT 1"),
    ("sql", "{run}", "SELECT * FROM ledger"),
    ("sql", "stra", "SELECT * FROM peers"),
    ("verify", "{run}", "{run}"),
    ("list", "runs"),
    ("list", "runs", "--format", "json"),
    ("list",),
]
STARTING = [
    ("launch", "{run}/plan.json"),
    ("plan", "{run}/plan.json"),
    ("soak", "{run}/plan.json", "--minutes", "1", "--out", "{run}/out"),
    ("resume", "{run}"),
    ("resume",),
]
TAKE_NO_RUN = {"bench", "check", "doctor", "experiment", "init", "privacy", "view"}
"""An experiment's folder from a stranger: tests/experiment/test_cell_code.py. `view`: below."""


def test_every_command_stands_before_the_folder_or_takes_none():
    """A new command is to be put into one of these tables."""
    tried = {words[0] for words in (*READING, *STARTING)}
    assert tried | TAKE_NO_RUN == set(main.commands)
    assert not tried & TAKE_NO_RUN


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_a_reading_command_runs_nothing_and_writes_nowhere_else(run, touched, tmp_path, words):
    before = files_in(tmp_path)
    code, out = asked(*(word.format(run=run) for word in words))
    assert not touched.exists(), out
    assert code in (0, 5), out
    assert files_in(tmp_path) == before
    assert "evil_rounds" not in sys.modules


def test_the_viewer_shows_it_runs_nothing_and_writes_nowhere(run, touched, tmp_path):
    before = files_in(tmp_path)
    for shown, path in ((run, "/"), (run.parent, "/"), (run.parent, "/run?n=1")):
        with viewer(shown) as view, view.client() as client:
            assert client.get("/").status_code == 200
            assert client.get(path).status_code == 200
    assert not touched.exists()
    assert files_in(tmp_path) == before


@pytest.mark.parametrize("words", STARTING, ids=" ".join)
def test_what_starts_a_run_refuses_before_it_imports(run, touched, tmp_path, words):
    before = files_in(tmp_path)
    code, out = asked(*(word.format(run=run) for word in words))
    assert (code, out.count("error: ")) == (2, 1), out
    assert not touched.exists()
    assert files_in(tmp_path) == before


def test_a_plan_that_could_be_launched_is_refused_without_trust(run, touched, tmp_path):
    """All but the code of this plan is as it should be: `prisam` and Python refuse it."""
    plan = launchable(run, tmp_path)
    out = refused("launch", plan, "--run-dir", tmp_path / "new")
    with pytest.raises(ConfigError) as error:
        pp.launch(plan, run_dir=tmp_path / "new")
    for told in (out, str(error.value)):
        assert f"{plan}: settings." in told
        assert "expected --trust-code" in told
    assert not touched.exists()
    assert not (tmp_path / "new").exists()


def launchable(run, folder):
    """Write the plan.json of a network that could run, with the settings of the stranger's."""
    from hand_plans import plan_of

    plan = json.loads(plan_of("ring-8").model_dump_json())
    theirs = json.loads((run / "plan.json").read_text())
    reference = theirs["settings"]["algorithm"]
    plan["settings"] |= dict.fromkeys(code_named_in(theirs), reference)
    plan["code"] = {key: theirs["code"][key] for key in code_named_in(theirs)}
    path = folder / "launchable.json"
    path.write_text(json.dumps(plan))
    return path


def code_named_in(plan):
    return [key for key in plan["code"] if key in RunSettings.model_fields]


@pytest.mark.parametrize("given", ["{run}", "stra", None])
def test_python_reads_all_of_it_and_runs_nothing(run, touched, tmp_path, given):
    before = files_in(tmp_path)
    loaded = pp.load_run(given.format(run=run)) if given else pp.load_run()
    told = [repr(loaded), loaded._repr_html_(), loaded.summary, loaded.peers, loaded.broken]
    told += [loaded.bytes.rows, loaded.bytes_by("link").rows, loaded.sql("SELECT * FROM ledger")]
    assert all(map(str, told))
    for read in (loaded.weights, loaded.model, lambda peer: loaded.model(peer, factory=max)):
        with pytest.raises(ConfigError):
            read("p01")
    compared = pp.compare([loaded, run])
    assert compared.differences == ([], [])
    assert compared._repr_html_()
    assert not touched.exists()
    assert files_in(tmp_path) == before
    assert "evil_rounds" not in sys.modules


def test_a_peer_s_name_that_is_a_path_is_refused(run, tmp_path):
    """Its journal, log and model would lie outside of the run."""
    launched = launchable(run, tmp_path)
    for path in (run / "plan.json", launched):
        plan = json.loads(path.read_text())
        plan["peers"]["../../../../escaped"] = plan["peers"]["p03"]
        path.write_text(json.dumps(plan))
    before = files_in(tmp_path)
    for words in [*READING, ("launch", launched)]:
        code, out = asked(*(str(word).format(run=run) for word in words))
        if words[0] == "list":  # it opens nothing by the name of a peer
            assert code == 0, out
        else:
            assert code == 2, out
            assert ".json: peers = '../../../../escaped': expected text that matches" in out
    assert files_in(tmp_path) == before


def test_a_link_in_the_folder_is_replaced_and_what_it_leads_to_is_kept(run, tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("kept")
    for name in WRITTEN:
        (run / name).unlink()
        (run / name).symlink_to(precious)
    assert asked("summary", run)[0] in (0, 5)
    assert precious.read_text() == "kept"
    assert not (run / "summary.json").is_symlink()


def test_a_file_of_faults_that_is_a_pickle_is_refused(run, touched):
    (run / FAULTS).write_bytes(pickle.dumps(Touches(touched)))
    refused("launch", "ring-8", "--faults", run / FAULTS)
    assert not touched.exists()


def test_a_model_that_is_a_pickle_is_refused(run, touched):
    with pytest.raises(ConfigError, match="a readable safetensors file"):
        load_personalized(run / "models" / "p01.safetensors")
    assert not touched.exists()


def test_the_stranger_s_code_would_have_touched_the_file(run, touched):
    """The control: a fixture that cannot touch would prove nothing."""
    named = json.loads((run / "plan.json").read_text())["settings"]
    exec((run / "code" / "algorithm" / "evil_rounds.py").read_text(), {})
    assert touched.exists()
    for name in PICKLES:
        touched.unlink()
        pickle.loads((run / name).read_bytes()).close()  # noqa: S301
        assert touched.exists()
    keys = code_named_in(RunFolder(run).plan)
    settings = RunSettings(**{key: named[key] for key in keys})
    assert len(code_named(settings)) == len(keys) == 6
