"""Who named code decides whether it runs."""

import json

import pytest
from launching import SMALL, asked, prisam, refused, topology

from prisam_p2p.errors import ConfigError
from prisam_p2p.extensions.loading import load
from prisam_p2p.extensions.record import CodeRecord
from prisam_p2p.extensions.reference import CodeKind
from prisam_p2p.plan.user_code import Naming, check_trust, code_named, load_code
from prisam_p2p.settings import RunSettings, about

TOUCHES = "from pathlib import Path\nPath({path!r}).touch()\n\ndef rounds(me): ...\n"
GRID = """
description = "for a test"
topology = "./net.toml"
[axes]
algorithm = ["CODE", "local"]
"""


@pytest.fixture
def touched(tmp_path):
    return tmp_path / "touched"


@pytest.fixture
def code(tmp_path, touched):
    """Code that touches a file when it is imported."""
    path = tmp_path / "mine.py"
    path.write_text(TOUCHES.format(path=str(touched)))
    return f"{path}:rounds"


def test_built_in_names_are_no_code():
    assert code_named(RunSettings()) == {}
    assert code_named(RunSettings(model="torchvision:resnet18", dataset="a/b.npz")) == {}


def test_every_kind_of_code_has_a_setting():
    kinds = {about(field).code for field in RunSettings.model_fields.values()} - {""}
    assert kinds == set(CodeKind)


def test_code_is_named_by_setting_and_kind():
    settings = RunSettings(baseline="m:rounds", dataset="./x.py:data")
    assert code_named(settings) == {
        "baseline": (CodeKind.ALGORITHM, "m:rounds"),
        "dataset": (CodeKind.DATASET, "./x.py:data"),
    }


def test_what_the_user_names_is_loaded(code, touched):
    with pytest.raises(ConfigError, match="with traits: @algorithm"):  # loaded, and wrong
        load_code(RunSettings(algorithm=code), Naming({}))
    assert touched.exists()


def test_what_a_file_names_is_loaded_only_with_trust(code, touched):
    settings, files = RunSettings(algorithm=code), {"algorithm": ("net.toml", "run.algorithm")}
    with pytest.raises(ConfigError, match=r"net\.toml: run\.algorithm = .*--trust-code"):
        load_code(settings, Naming(files))
    assert not touched.exists()
    check_trust(settings, Naming(files, trusted=True))
    with pytest.raises(ConfigError, match="with traits"):
        load_code(settings, Naming(files, trusted=True))
    assert touched.exists()


def test_a_soak_and_a_plan_refuse_it_too_and_leave_nothing(tmp_path, code, touched):
    file, out = (
        topology(tmp_path, SMALL.replace("rounds = 3", f'model = "{code}"')),
        tmp_path / "out",
    )
    told = f"error: {file}: run.model = '{code}': expected --trust-code"
    assert refused("plan", file).startswith(told)
    exit_code, said = prisam("soak", file, "--minutes", "1", "--out", out)
    assert (exit_code, said.count("\n")) == (2, 1), said
    assert said.startswith(told)
    assert not out.exists()
    assert not touched.exists()


def test_a_file_that_has_changed_since_a_plan_is_refused_and_its_copy_named(
    tmp_path, code, touched
):
    path, plan = tmp_path / "mine.py", tmp_path / "run" / "plan.json"
    record = CodeRecord(
        reference=code, origin="file", distribution="", version="", file=path, sha256="0" * 64
    )
    at = {"algorithm": (str(plan), "settings.algorithm")}
    with pytest.raises(ConfigError) as error:
        load_code(RunSettings(algorithm=code), Naming(at, True, {"algorithm": record}))
    assert f"its copy: --algorithm {plan.parent}/code/algorithm/mine.py:rounds" in str(error.value)
    assert not touched.exists()


@pytest.mark.parametrize(
    ("changed", "was"),
    [
        ({"sha256": "0" * 64}, "sha256 000000000000"),
        ({"version": "0.9"}, "of numpy 0.9, sha256"),
        ({"distribution": "other"}, "of other "),
        ({"reference": "numpy.linalg:inv"}, "begun with, numpy.linalg:inv of numpy"),
    ],
)
def test_a_module_that_has_changed_since_a_plan_is_refused_and_both_are_named(changed, was):
    text, at = "numpy.linalg:svd", {"model": ("run/plan.json", "settings.model")}
    now = load(CodeKind.MODEL, text, "--model").record
    naming = Naming(at, True, {"model": now.model_copy(update=changed)})
    with pytest.raises(ConfigError) as error:
        load_code(RunSettings(model=text), naming)
    told = str(error.value)
    assert told.startswith(f"run/plan.json: settings.model = '{text}': expected what the run was")
    assert was in told
    assert f"now it is {now}" in told
    assert f"A launch with --model {text} runs what there is now" in told


def test_a_module_is_compared_wherever_it_is_now_and_only_if_the_plan_names_it():
    text, at = "numpy.linalg:norm", {"model": ("run/plan.json", "settings.model")}
    now = load(CodeKind.MODEL, text, "--model").record
    moved = now.model_copy(update={"file": now.file.with_name("elsewhere.py")})
    settings = RunSettings(model=text)
    assert load_code(settings, Naming(at, True, {"model": moved}))["model"].record == now
    other = {"model": now.model_copy(update={"sha256": "0" * 64})}
    assert load_code(settings, Naming({}, False, other))["model"].record == now  # the user did


@pytest.mark.parametrize("key", ["algorithm", "baseline", "model", "dataset", "split", "grouping"])
def test_a_topology_that_names_code_is_refused(tmp_path, code, touched, key):
    file = topology(tmp_path, SMALL.replace("rounds = 3", f'{key} = "{code}"'))
    out = refused("launch", file, "--run-dir", tmp_path / "run")
    assert f"net.toml: run.{key} = '{code}': expected --trust-code" in out
    assert not touched.exists()
    assert not (tmp_path / "run").exists()


def test_the_command_line_wins_over_the_file(tmp_path, code, touched):
    file = topology(tmp_path, SMALL.replace("rounds = 3", f'model = "{code}"'))
    out = refused("launch", file, "--run-dir", tmp_path / "run", "--model", "vgg_s")
    assert "--model = 'vgg_s'" in out
    assert not touched.exists()


def test_an_experiment_that_names_code_is_refused(tmp_path, code, touched):
    topology(tmp_path)
    file = tmp_path / "grid.toml"
    file.write_text(GRID.replace("CODE", code))
    out = refused("experiment", file, "--out", tmp_path / "out", "--dry-run")
    assert f"grid.toml: algorithm = '{code}': expected --trust-code" in out
    assert not touched.exists()
    assert "with traits" in refused(
        "experiment", file, "--out", tmp_path / "out", "--dry-run", "--trust-code"
    )
    assert touched.exists()


def test_a_typo_in_a_name_tells_what_else_there_is(tmp_path):
    out = refused("launch", topology(tmp_path), "--algorithm", "prisma")
    assert "expected one of 'prisam'" in out
    assert "./file.py:attribute" in out


def test_a_plan_of_an_earlier_version_has_the_traits_of_its_algorithm(tmp_path):
    from prisam_p2p.plan.plan import _with_traits

    old = {"settings": {"algorithm": "local"}}
    assert _with_traits(old)["traits"]["silent"]
    assert _with_traits({"settings": {"algorithm": "./x.py:y"}}) == {
        "settings": {"algorithm": "./x.py:y"}
    }
    assert json.dumps(_with_traits({})) == "{}"


def test_reading_commands_have_no_such_option():
    for command in ("summary", "bytes", "sql", "verify"):
        assert "--trust-code" not in asked(command, "--help")[1]
