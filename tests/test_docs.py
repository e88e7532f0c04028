"""The documents keep up with the code: records, settings, decisions, the image."""

import dataclasses
import fnmatch
import importlib
import json
import re
import typing
from pathlib import Path

import pytest
from click.testing import CliRunner

from prisam_p2p.cli import main
from prisam_p2p.measure import records
from prisam_p2p.peer.peer import Peer
from prisam_p2p.plan.hosts_plan import HostsPlan
from prisam_p2p.plan.plan import HostFacts, ModelPlan, PeerPlan, Plan
from prisam_p2p.report.checks import Check
from prisam_p2p.report.faults import FaultVerdict
from prisam_p2p.settings import RunSettings
from prisam_p2p.settings_page import settings_page

ROOT = Path(__file__).parent.parent
RUN_FOLDER = (ROOT / "docs" / "run-folder.md").read_text()
DECISIONS = ROOT / "docs" / "decisions"
RECORDS = typing.get_args(records.Record)


def snake(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def documented_records():
    """Record -> the names in code type in the field column of its rows in run-folder.md."""
    found, current = {}, None
    journals = RUN_FOLDER.split("## Journals")[1].split("\n## ")[0]
    for line in journals.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|") or len(cells) != 3:
            current = None
            continue
        if cells[0].startswith("`"):
            current = cells[0].strip("`")
            found[current] = set()
        if current:
            found[current] |= set(re.findall(r"`(\w+)`", cells[1]))
    return found


def test_the_union_holds_every_record_class():
    classes = {c for c in vars(records).values() if dataclasses.is_dataclass(c)}
    assert classes == set(RECORDS)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_record_is_documented_field_by_field(record):
    fields = {field.name for field in dataclasses.fields(record)}
    shown = documented_records()[snake(record.__name__)]
    in_a_round = {"round"} if "about a round" in _section_of(snake(record.__name__)) else set()
    assert shown == fields - in_a_round


def test_no_record_is_documented_that_does_not_exist():
    assert set(documented_records()) == {snake(record.__name__) for record in RECORDS}


def _section_of(record):
    before = RUN_FOLDER[: RUN_FOLDER.index(f"| `{record}` |")]
    return re.findall(r"^### (.*)$", before, re.MULTILINE)[-1]


def test_every_key_of_checks_and_fault_verdicts_is_documented():
    section = RUN_FOLDER.split("### Verdicts")[1].split("\n## ")[0]
    named = set(re.findall(r"`(\w+)`", section))
    for verdict in (Check, FaultVerdict):
        assert {field.name for field in dataclasses.fields(verdict)} <= named, verdict


def test_what_the_page_on_the_algorithm_names_is_there():
    page = (ROOT / "docs" / "algorithm.md").read_text()
    steps = set(re.findall(r"`me\.(\w+)", page))
    assert steps >= {"begin", "train", "prune", "announce", "hear", "find_group", "pull", "average"}
    assert all(hasattr(Peer, step) for step in steps), steps
    modules = re.findall(r"`(?:prisam_p2p/)?([a-z]+/[a-z_]+)\.py(?:: ([\w, ]+))?`", page)
    assert len(modules) > 10
    for path, names in modules:
        module = importlib.import_module(f"prisam_p2p.{path.replace('/', '.')}")
        assert all(hasattr(module, name) for name in filter(None, names.split(", "))), path


def test_every_key_of_the_plan_is_documented():
    section = RUN_FOLDER.split("## plan.json")[1].split("\n## ")[0]
    named = set(re.findall(r"`(\w+)`", section))
    for model in (Plan, ModelPlan, PeerPlan, HostFacts, HostsPlan):
        assert set(model.model_fields) <= named, model


@pytest.mark.parametrize("command", ["launch", "plan", "soak", "experiment"])
def test_every_setting_is_an_option(command):
    shown = CliRunner().invoke(main, [command, "--help-all"]).output
    for name in RunSettings.model_fields:
        assert re.search(rf"--{name.replace('_', '-')}\b", shown), name


def test_the_page_of_settings_is_generated():
    page = (ROOT / "docs" / "settings.md").read_text()
    assert page == settings_page(), "run: python -m prisam_p2p.settings_page > docs/settings.md"


def test_the_page_of_commands_has_each_with_its_options(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    page = importlib.import_module("commands_page").commands_page()
    sections = dict(re.findall(r"^### `prisam ([\w ]+)`\n\n```text\n(.*?)^```", page, re.M | re.S))
    own = {f"bench {name}" for name in main.commands["bench"].commands}
    assert set(sections) == {*main.commands, *own}
    for name, text in sections.items():
        asked = [*name.split(), "--help"]
        shown = CliRunner().invoke(main, asked, prog_name="prisam", terminal_width=100).output
        assert text == shown, name
        assert not re.search(r"\w\.\.\.$", text, re.M), f"{name}: a line of help is cut"


def test_every_reference_to_a_decision_leads_to_one():
    numbers = {path.name[:4] for path in DECISIONS.glob("[0-9]*.md")}
    names = {path.name for path in DECISIONS.glob("*.md")}
    folders = ("prisam_p2p", "tests", "benchmarks", "docs")
    sources = [p for f in folders for p in (ROOT / f).rglob("*") if p.suffix in (".py", ".md")]
    referred = set()
    for path in [*sources, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]:
        text = path.read_text()
        referred |= set(re.findall(r"\b(\d{4})-[\w-]*\.md", text))
        for name in re.findall(r"decisions/(\d{4}[\w-]*\.md)", text):
            assert name in names, f"{path}: {name}"
        for number in re.findall(r"\bADR \[?(\d{4})", text):
            assert number in numbers, f"{path}: {number}"
    assert len(referred & numbers) > 10


def test_no_two_decisions_have_one_number():
    numbers = [path.name[:4] for path in DECISIONS.glob("*.md")]
    assert sorted(set(numbers)) == sorted(numbers)


@pytest.mark.parametrize("path", sorted(DECISIONS.glob("*.md")), ids=lambda path: path.stem)
def test_a_decision_has_its_form(path):
    text = path.read_text()
    assert text.startswith(f"# {path.name[:4]}: ")
    for part in ("**Context.**", "**Decision.**", "**Consequence.**"):
        assert part in text


# --- the image ---


def instructions():
    """Return the Dockerfile as (instruction, arguments), continuation lines joined."""
    text = (ROOT / "docker" / "Dockerfile").read_text()
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]


def arguments(instruction):
    return [rest for name, rest in instructions() if name == instruction]


def test_the_image_has_known_instructions_and_a_fixed_base():
    names = [name for name, _ in instructions()]
    assert names[:2] == ["ARG", "FROM"]
    assert set(names) <= {"ARG", "FROM", "ENV", "WORKDIR", "COPY", "RUN", "USER", "VOLUME", "CMD"}
    assert arguments("FROM") == ["${BASE}"]
    name, default = arguments("ARG")[0].split("=")
    assert name == "BASE"
    assert ":" in default
    assert not default.endswith(":latest")


def test_the_image_runs_as_a_user_without_privileges():
    order = [name for name, _ in instructions()]
    (user,) = arguments("USER")
    assert user not in ("root", "0")
    assert order.index("USER") > max(i for i, name in enumerate(order) if name in ("RUN", "COPY"))
    assert any(f"useradd --uid 10001 --create-home {user}" in run for run in arguments("RUN"))


def test_the_image_installs_exact_versions():
    installs = [run for run in arguments("RUN") if "pip install" in run]
    assert installs
    assert all("-c constraints.txt" in run for run in installs)
    pins = [p for p in (ROOT / "constraints.txt").read_text().splitlines() if p and p[0] != "#"]
    assert pins
    assert all("==" in pin for pin in pins)


def test_what_the_image_copies_exists_and_is_let_through():
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    let_through = [line[1:] for line in ignore if line.startswith("!")]
    assert arguments("COPY")
    for copy in arguments("COPY"):
        for source in copy.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert any(fnmatch.fnmatch(source, pattern) for pattern in let_through), source


def test_the_images_default_command_is_the_demo():
    (command,) = arguments("CMD")
    assert json.loads(command) == ["python", "launch.py"]
    (workdir,) = arguments("WORKDIR")
    assert arguments("VOLUME") == [f"{workdir}/runs"]  # where launch.py puts run folders
