"""The table of fault kinds: what it says of each kind, and that a row is all a new kind needs."""

import signal
import subprocess
import sys

import pytest
from hand_faults import full, neighbors
from pydantic import Field
from test_injector import GO, NotingPeers

from prisam_p2p.control.message_rule import Action
from prisam_p2p.faults.acts import act_class
from prisam_p2p.faults.acts.act import Act
from prisam_p2p.faults.barrier_plan import barriers_of
from prisam_p2p.faults.compiler.compile import compile_plan
from prisam_p2p.faults.fault_plan import read_fault_plan
from prisam_p2p.faults.injector import Injector
from prisam_p2p.faults.kinds import KINDS, FaultKind
from prisam_p2p.faults.scenario.fault import OnPeers
from prisam_p2p.faults.scenario.scenario import load_scenario
from prisam_p2p.measure import records

ON_LINKS = {"cut", "flap", "shape", "partition", "isolate", "host-cut"}
ON_MESSAGES = {"drop", "delay", "duplicate", "reorder", "hold", "corrupt"}
ATTACKS = {
    "lying-mask", "copied-mask", "stale-mask", "wrong-shape", "nan", "scaled", "sign-flipped",
    "refusal", "slow-serving", "spoofed", "other-version", "forged-relay",
}  # fmt: skip


@pytest.mark.parametrize(
    ("trait", "kinds"),
    [
        ("takes_down", {"kill", "term", "leave", "restart", "pause", "host-down"}),
        ("ends_process", {"kill", "term", "leave", "restart", "host-down"}),
        ("starts_absent", {"join", "replace"}),
        ("starts_process", {"join", "replace", *ATTACKS}),
        ("is_attack", ATTACKS),
        ("on_links", ON_LINKS),
        ("cuts_links", {"cut", "partition", "isolate", "host-cut"}),
        ("all_or_none", {"host-down"}),
        ("changes_data", {"drift"}),
        ("replaces", {"replace"}),
        ("needs_victim", {"pause", "memory", "full-disk", "drift", *ON_LINKS, *ON_MESSAGES}),
    ],
)
def test_the_kinds_with_a_trait(trait, kinds):
    assert {kind for kind, row in KINDS.items() if getattr(row, trait)} == kinds


@pytest.mark.parametrize("kind", KINDS)
def test_every_row_names_an_act(kind):
    assert issubclass(act_class(kind), Act)


def test_message_faults_are_the_actions_of_message_rules():
    kinds = {kind for kind, row in KINDS.items() if row.act.endswith(":DisturbMessages")}
    assert kinds == {*Action.__args__} == ON_MESSAGES


def test_reports_read_the_table_without_what_acts_import():
    """A process of its own, as this one has imported acts already."""
    code = """
import sys
import prisam_p2p.report.checks, prisam_p2p.report.faults
unwanted = ("prisam_p2p.faults.acts", "prisam_p2p.netns", "psutil", "zmq")
print([name for name in sys.modules if name.startswith(unwanted)])
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


# -- a new kind: a model, an act and a row ---------------------------------------------


class NudgeFault(OnPeers):
    times: int = Field(2, ge=1)


class Nudge(Act):
    def apply(self, firing, now_s):
        for _ in range(firing.occurrence.parameters["times"]):
            self._peers.signal(firing.peer, signal.SIGUSR1)
        return True

    def observe(self, firing, now_s):
        return "it was nudged"

    def heal(self, firing, now_s):
        self._peers.signal(firing.peer, signal.SIGUSR2)
        return True


SCENARIO = """
description = "a kind that is nowhere but here"
[[fault]]
id = "f"
kind = "nudge"
times = 3
peers = ["p01"]
at = { round = 1, phase = "train" }
"""


def test_a_new_kind_is_read_compiled_applied_verified_and_healed(tmp_path, monkeypatch):
    monkeypatch.setitem(KINDS, "nudge", FaultKind(NudgeFault, f"{__name__}:Nudge"))
    (tmp_path / "nudges.toml").write_text(SCENARIO)
    targets = full(2)
    compiled = compile_plan(load_scenario(tmp_path / "nudges.toml"), targets, rounds=4, seed=0)
    (tmp_path / "faults.json").write_text(compiled.to_json())
    assert read_fault_plan(tmp_path / "faults.json") == compiled

    peers, notes = NotingPeers(), []
    injector = Injector(compiled, peers, notes.append, barriers_of(compiled, neighbors(targets)))
    injector.begin(0.0)
    injector.at_barrier("p01", (1, "train"), 1.0)
    assert peers.take() == [*[("p01", "SIGUSR1")] * 3, ("p01", GO)]
    injector.tick(1.5)
    injector.at_barrier("p01", (2, "train"), 2.0)
    assert peers.take() == [("p01", "SIGUSR2"), ("p01", GO)]
    assert notes == [
        records.FaultApplied("f#0", "nudge", "p01", 0.0),
        records.FaultVerified("f#0", "p01", "it was nudged"),
        records.FaultHealed("f#0", "p01"),
    ]
