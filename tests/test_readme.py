"""What the README and the essentials say works: their commands, their code, all pages' links."""

import contextlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from launching import prisam

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
ESSENTIALS = (ROOT / "docs" / "essentials.md").read_text()
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "docker" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
CI_RUNS_THESE = ("make demo", "make test")
A_COMMAND_TAKES_S = 120


def blocks(language, text):
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


COMMANDS = [
    line
    for block in blocks("sh", README + ESSENTIALS)
    for line in block.splitlines()
    if line.strip() and line not in CI_RUNS_THESE
]


def elsewhere(text, runs):
    """Put run folders into `runs` and take this interpreter's tools: the only two changes."""
    return re.sub(r"(?<![\w/.-])runs/", f"{runs}/", text).replace(
        ".venv/bin/", f"{Path(sys.executable).parent}/"
    )


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Run all commands in the pages' order, from the repository's root; return what each told.

    Those that launch a run are the programs of `.venv/bin` themselves. The others look at runs and
    files, and are forks of one process that has imported what they need (warm_process.py).
    """
    runs = tmp_path_factory.mktemp("runs")
    with contextlib.chdir(ROOT):
        return runs, {command: ended(elsewhere(command, runs)) for command in COMMANDS}


def ended(command):
    """Run a command; return its exit code and what it printed."""
    program, *words = shlex.split(command)
    if is_launch(command):
        done = subprocess.run(
            [program, *words], capture_output=True, text=True, timeout=A_COMMAND_TAKES_S
        )
        return done.returncode, done.stdout + done.stderr
    assert Path(program) == Path(sys.executable).parent / "prisam"
    return prisam(*words)


def is_launch(command):
    return not {"launch", "launch.py"}.isdisjoint(command.split())


def test_the_two_commands_stand_on_the_first_screen():
    assert blocks("sh", README)[0].split("\n")[:2] == list(CI_RUNS_THESE)
    assert README.index("make test") < 2000


def test_every_run_that_the_pages_start_has_a_folder_that_tests_can_move():
    launches = [shlex.split(command) for command in COMMANDS if is_launch(command)]
    assert len(launches) > 1
    for words in launches:
        assert words[words.index("--run-dir") + 1].startswith("runs/"), words


@pytest.mark.network
@pytest.mark.timeout(600)
@pytest.mark.parametrize("command", COMMANDS)
def test_command_works(ran, command):
    code, told = ran[1][command]
    assert code == 0, told[-2000:]


@pytest.mark.network
@pytest.mark.timeout(600)
def test_the_personalized_model_loads_as_shown(ran):
    (snippet,) = blocks("python", ESSENTIALS)
    check = "\nassert logits.shape == (10, 10) and torch.isfinite(logits).all()\n"
    code = elsewhere(snippet, ran[0]) + check
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=A_COMMAND_TAKES_S
    )
    assert done.returncode == 0, done.stderr[-2000:]


def anchors(page):
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"[a-z]+:", link):
            continue  # elsewhere in the world
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_topology_and_device_profile_is_in_the_essentials():
    for folder in ("topologies", "peers"):
        shipped = list((ROOT / folder).glob("*.toml"))
        assert shipped
        for path in shipped:
            name = path.name if folder == "topologies" else path.stem
            assert f"`{name}`" in ESSENTIALS, path
