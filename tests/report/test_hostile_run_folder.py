"""A run folder from a stranger, which names code and holds a pickle: reading it runs nothing."""

import json
import pickle

import pytest
from hand_runs import announced, orderly
from launching import asked, refused

from prisam_p2p.errors import ConfigError
from prisam_p2p.learn.personalized import load_personalized
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


@pytest.fixture(params=["hostile:rounds", "{run}/code/algorithm/hostile.py:rounds"])
def run(request, tmp_path, touched, monkeypatch):
    """Return a run folder whose plan names code, by module and by file, for all that it can."""
    folder = tmp_path / "run"
    folder.mkdir()
    read = announced(orderly())
    read.records["p01"] += [dict(EVALUATED)]
    read.write(folder)
    for name in ("summary.json", "ledger.parquet"):
        (folder / name).write_bytes(pickle.dumps(Touches(touched)))
    (folder / "models").mkdir()
    (folder / "models" / "p01.safetensors").write_bytes(pickle.dumps(Touches(touched)))
    code = folder / "code" / "algorithm"
    code.mkdir(parents=True)
    (code / "hostile.py").write_text(EVIL.format(path=str(touched)))
    monkeypatch.syspath_prepend(code)
    monkeypatch.chdir(code)
    reference = request.param.format(run=folder)
    plan = json.loads((folder / "plan.json").read_text())
    named = [key for key, field in RunSettings.model_fields.items() if about(field).code]
    plan["settings"] |= dict.fromkeys(named, reference)
    record = {"reference": reference, "origin": "file", "distribution": "", "version": ""}
    record |= {"file": str(code / "hostile.py"), "sha256": "0" * 64}
    plan["code"] = dict.fromkeys(named, record)
    (folder / "plan.json").write_text(json.dumps(plan))
    return folder


COMMANDS = [
    ("summary", "{run}"),
    ("summary", "{run}", "--format", "json"),
    ("bytes", "{run}"),
    ("sql", "{run}", "SELECT 1"),
    ("sql", "{run}", "SELECT * FROM ledger"),
    ("verify", "{run}", "{run}"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_a_reading_command_runs_nothing(run, touched, words):
    code, out = asked(*(word.format(run=run) for word in words))
    assert not touched.exists(), out
    assert code in (0, 5), out


STARTING = [("launch", "{run}/plan.json"), ("plan", "{run}/plan.json"), ("resume", "{run}")]


@pytest.mark.parametrize("words", STARTING, ids=lambda words: words[0])
def test_what_starts_a_run_refuses_before_it_imports(run, touched, words):
    refused(*(word.format(run=run) for word in words))
    assert not touched.exists()


def test_a_model_that_is_a_pickle_is_refused(run, touched):
    with pytest.raises(ConfigError, match="a readable safetensors file"):
        load_personalized(run / "models" / "p01.safetensors")
    assert not touched.exists()


def test_the_stranger_s_code_would_have_touched_the_file(run, touched):
    """The control: a fixture that cannot touch would prove nothing."""
    named = json.loads((run / "plan.json").read_text())["settings"]
    exec((run / "code" / "algorithm" / "hostile.py").read_text(), {})
    assert touched.exists()
    touched.unlink()
    pickle.loads((run / "models" / "p01.safetensors").read_bytes()).close()  # noqa: S301
    assert touched.exists()
    settings = RunSettings(**{key: named[key] for key in RunFolder(run).plan["code"]})
    assert len(code_named(settings)) == len(RunFolder(run).plan["code"]) == 6
