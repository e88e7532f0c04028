"""CONTRIBUTING's recipes, followed: in a copy of the package, each step is done as it is written.

The recipe for a fault is followed in tests/faults/test_fault_kinds.py, which needs no copy.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from launching import SMALL, journal, topology

ROOT = Path(__file__).parents[1]


class Copy:
    """A copy of the package to edit and to run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "prisam_p2p", folder / "prisam_p2p", ignore=ignored)

    def write(self, path: str, text: str) -> None:
        (self._folder / "prisam_p2p" / path).write_text(text)

    def insert(self, path: str, before: str, text: str) -> None:
        """Insert `text` before the only place where `before` stands."""
        file = self._folder / "prisam_p2p" / path
        old = file.read_text()
        assert old.count(before) == 1, f"{path}: {before!r}: {old.count(before)} times"
        file.write_text(old.replace(before, text + before))

    def run(self, code: str, *arguments: object) -> str:
        """Run `code` with the copy; return what it prints."""
        ran = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": str(self._folder)},
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout


@pytest.fixture
def copy(tmp_path):
    return Copy(tmp_path)


PING = '''
@dataclass(frozen=True, slots=True)
class Ping:
    """Asks for a sign of life."""

    number: int

    def __post_init__(self) -> None:
        if self.number < 0:
            raise ValueError(f"number {self.number} is negative")


'''

USES_PING = """
from prisam_p2p.errors import WireError
from prisam_p2p.measure.traffic import CONTROL, TrafficCounter
from prisam_p2p.wire import codec
from prisam_p2p.wire.messages import Ping
import prisam_p2p

frames = codec.encode(Ping(300))
assert bytes(frames[0]).hex() == "930210cd012c", bytes(frames[0]).hex()
assert codec.decode(frames) == Ping(300)
assert codec.kind_of(Ping(1)).name == "PING"
try:
    codec.decode([bytes.fromhex("930210ff")])
except WireError as error:
    assert "negative" in str(error), error
else:
    raise AssertionError("a negative number was accepted")
print(prisam_p2p.__file__)
"""


def test_a_message(copy, tmp_path):
    copy.insert("wire/messages.py", "\n\nclass Channel(IntEnum)", "    PING = 16\n")
    copy.insert("wire/messages.py", "\nMessage = (", PING)
    copy.insert("wire/messages.py", "    Hello\n    | Welcome", "    Ping |\n")
    copy.insert("wire/codec.py", "    Refuse,\n", "    Ping,\n")
    copy.insert(
        "wire/codec.py",
        "        case _:\n            assert_never",
        "        case Ping(number):\n            return [_header(Kind.PING, number)]\n",
    )
    copy.insert(
        "wire/codec.py",
        '        case _:\n            raise WireError(f"no message has',
        "        case Kind.PING, [int(number)], []:\n            return Ping(number)\n",
    )
    copy.insert("wire/codec.py", "    Hello: Kind.HELLO", "    Ping: Kind.PING,\n")
    assert str(tmp_path) in copy.run(USES_PING)


FIRST_NEIGHBOR = '''
"""First neighbor: average with the neighbor whose name comes first. Source: CONTRIBUTING.md."""

from prisam_p2p.peer.baseline_peer import BaselinePeer
from prisam_p2p.peer.baselines.dense import dense_rounds


def first_neighbor(me: BaselinePeer) -> None:
    """Average whole models with one neighbor, the same in every round."""
    me.deploy(dense_rounds(me, choose=lambda me, t: sorted(me.spec.neighbors)[:1]))
'''

LAUNCHES_IT = """
import sys
from prisam_p2p.cli import main
main(["launch", sys.argv[1], "--algorithm", "first-neighbor", "--run-dir", sys.argv[2], "--quiet"])
"""


@pytest.mark.network
def test_a_baseline(copy, tmp_path):
    copy.write("peer/baselines/first_neighbor.py", FIRST_NEIGHBOR)
    of_it = '"first-neighbor", "averages with one peer", Traits(dense=True), Costs("drawn")'
    row = f"    FIRST_NEIGHBOR = {of_it}\n"
    copy.insert("algorithms.py", "    PENS = ", row)
    loops = "peer/baselines/__init__.py"
    imported = "from prisam_p2p.peer.baselines.first_neighbor import first_neighbor\n"
    copy.insert(loops, "\nLOOPS: ", imported)
    copy.insert(loops, "    Algorithm.PENS", "    Algorithm.FIRST_NEIGHBOR: first_neighbor,\n")

    run = tmp_path / "run"
    copy.run(LAUNCHES_IT, topology(tmp_path, SMALL), run)
    averaged = {
        peer: [x["members"] for x in journal(run, peer) if x["record"] == "aggregated"]
        for peer in ("p00", "p01", "p05")
    }
    assert averaged == {
        "p00": [["p00", "p01"]] * 3,
        "p01": [["p00", "p01"]] * 3,
        "p05": [["p00", "p05"]] * 3,
    }
    assert json.loads((run / "summary.json").read_text())["algorithm"] == "first-neighbor"
