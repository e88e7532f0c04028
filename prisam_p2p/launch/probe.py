"""Measure what peers of a run cost: processes, forked as the run's are, play them for two rounds.

Such a process is a peer's own (peer/probe.py), without its connections. It stops at the barriers
between its phases: there is measured what it holds while it waits for others, and in between what
it needs at most. Two are started, and measured one after the other, because pages that a single
fork has inherited could look like its own.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from prisam_p2p.control.codec import decode_report, encode
from prisam_p2p.control.messages import (
    AtBarrier,
    Exit,
    LeaveBarrier,
    PeerDone,
    ProcessUp,
    Ready,
    Report,
    Roster,
    RoundDone,
    RoundsBegun,
    StartRounds,
)
from prisam_p2p.control.spec import BoardSpec, Incarnation, PeerSpec, Phase, ProbeSpec
from prisam_p2p.errors import PrisamError
from prisam_p2p.launch.past import Past
from prisam_p2p.launch.specs import LaunchFacts, build_specs
from prisam_p2p.launch.stage import engine_for
from prisam_p2p.measure.journal import read_journal
from prisam_p2p.netns.loopback import Loopback
from prisam_p2p.plan.plan import Plan
from prisam_p2p.plan.planning import Prepared
from prisam_p2p.preflight.donors import donors_of_a_round, peers_heard
from prisam_p2p.preflight.peer_cost import PeerCost
from prisam_p2p.processes.engine import Engine
from prisam_p2p.processes.sampling import open_board
from prisam_p2p.settings import Heading, RunSettings, Security, about
from prisam_p2p.system.process_memory import ProcessMemory, cpu_s_of, memory_of

ROUNDS = 2
"""The first trains the dense model, the second the slim one."""
STEPS = 3
MOST_NEIGHBORS, MOST_DONORS, MOST_TESTED = 64, 8, 32
"""More of them would only make the probe slower; needs.py adds what the others take."""
DEADLINE_S = 60.0
"""A probe takes a second or two; of a model whose step takes longer than this, nothing is known."""

_SAMPLE_EVERY_S, _SAMPLE_SHARE = 0.002, 0.2
"""Looking at a large process takes the kernel milliseconds: at most this share of the time."""
_RUN_ID = "00" * 8


class ProbeFailed(PrisamError):
    """The probe did not come to its end; the text says why."""


def probe_spec(
    prepared: Prepared, plan: Plan, peer: str, run_dir: Path, board: BoardSpec
) -> PeerSpec:
    """Return the spec of a probe that stands for `peer`: same device and data, fewer steps.

    Its speed and rates are not limited: it is to be measured, not to be emulated.
    """
    neighbors = neighbors_of_a_probe(plan, peer)
    links = {peer: neighbors, **{neighbor: [peer] for neighbor in neighbors}}
    few = {
        name: plan.peers[name].model_copy(update={"neighbors": linked})
        for name, linked in links.items()
    }
    alone = plan.model_copy(update={"peers": few, "settings": probe_settings(plan.settings)})
    facts = LaunchFacts(_RUN_ID, run_dir, time.monotonic(), None, board)
    network = Loopback([*few], _RUN_ID)
    spec = next(
        spec
        for spec in build_specs(prepared, alone, facts, network, None, Past(_RUN_ID))
        if spec.peer_id == peer
    )
    free = {"speed": 1.0, "memory_mib": None, "up_mbit_s": None, "down_mbit_s": None}
    train = spec.data.train[: STEPS * plan.settings.batch_size]
    tested = spec.data.test[:MOST_TESTED]
    phases = [(t, phase) for t in range(ROUNDS) for phase in get_args(Phase)]
    return spec.model_copy(
        update={
            "device": spec.device.model_copy(update=free),
            "data": spec.data.model_copy(update={"train": train, "test": tested}),
            "barriers": phases,
        }
    )


def probe_settings(settings: RunSettings) -> RunSettings:
    """Return the settings of a probe: those of the run, without what does not change its cost."""
    plain = RunSettings()
    other = {"seed", "split", "target_loss", "patience", "data_dir", "download", "baseline"}
    fields = RunSettings.model_fields.items()
    other |= {
        name for name, field in fields if about(field).group in (Heading.TIMING, Heading.HOSTS)
    }
    return settings.model_copy(
        update={
            **{name: getattr(plain, name) for name in other},
            "rounds": ROUNDS,
            "participation": None,
            "mask_hops": 1,  # it hears all at once, as if they were neighbors
            "pens_rounds": ROUNDS,
            "epochs": 1,
            "warmup_epochs": 1,
            "evaluate_every": 1,
            "regrowth_every": 0,
            "security": Security.PLAIN,
        }
    )


def neighbors_of_a_probe(plan: Plan, peer: str) -> list[str]:
    """Return the peers that a probe hears: fewer where it pulls from all that it hears."""
    neighbors = peers_heard(plan, peer)
    pulls_from_all = donors_of_a_round(plan, peer) == len(neighbors)
    return neighbors[: MOST_DONORS if pulls_from_all else MOST_NEIGHBORS]


def donors_of_a_probe(plan: Plan, peer: str) -> int:
    """Return from how many neighbors a probe pulls in a round."""
    donors = min(donors_of_a_round(plan, peer), len(neighbors_of_a_probe(plan, peer)))
    return min(donors, MOST_DONORS) if plan.traits.clusters else donors


def measure_peers(prepared: Prepared, plan: Plan, peers: Sequence[str]) -> list[PeerCost]:
    """Run a probe for each of two `peers`, and return what they cost.

    Raises:
        ProbeFailed: one did not come to its end within `DEADLINE_S`.
    """
    ends_s = time.monotonic() + DEADLINE_S
    with (
        tempfile.TemporaryDirectory(prefix="prisam-probe-") as folder,
        open_board(1 + MOST_NEIGHBORS) as board,
        closing(engine_for(plan.settings, board)) as engine,
    ):
        probes = []
        for number, peer in enumerate(peers):
            run_dir = Path(folder, str(number))
            for name in ("journal", "logs", "models", "state"):
                (run_dir / name).mkdir(parents=True)
            spec = probe_spec(prepared, plan, peer, run_dir, board)
            probes.append(_PeerProbe(engine, spec, donors_of_a_probe(plan, peer)))
        for probe in probes:
            probe.play(ends_s)
        for probe in probes:
            probe.end(ends_s)
        return [_cost(plan, probe) for probe in probes]


@dataclass
class _Observed:
    """What was seen of a probe.

    Attributes:
        held_bytes, peak_bytes: most private memory at a barrier, and at any time.
        at_rounds: CPU seconds when its rounds began, and after each of them.
    """

    held_bytes: int = 0
    peak_bytes: int = 0
    page_table_bytes: int = 0
    at_rounds: list[float] = field(default_factory=list)

    def note(self, now: ProcessMemory, waits: bool) -> None:
        self.peak_bytes = max(self.peak_bytes, now.private_bytes)
        self.page_table_bytes = max(self.page_table_bytes, now.page_table_bytes)
        if waits:
            self.held_bytes = max(self.held_bytes, now.private_bytes)


class _PeerProbe:
    """The launcher's end of one probe: plays its launcher, and measures it meanwhile."""

    def __init__(self, engine: Engine, spec: PeerSpec, donors: int) -> None:
        self.spec, self.observed = spec, _Observed()
        probe = Incarnation(probe=ProbeSpec(donors=donors))
        started = engine.start(spec, probe)
        self._pid, self._lines = started.pid, started.line
        self._done, self._look_s = False, 0.0

    def play(self, ends_s: float) -> None:
        """Let it run its rounds."""
        while not self._done:
            if time.monotonic() > ends_s:
                raise ProbeFailed(f"the probe was not done within {DEADLINE_S:g} s")
            if self._lines.waiting(max(_SAMPLE_EVERY_S, self._look_s / _SAMPLE_SHARE)):
                for report in self._reports():
                    self._answer(report)
            self.observed.note(self._look(), waits=False)

    def end(self, ends_s: float) -> None:
        """Let it end; wait until it has written its last records."""
        with closing(self._lines.line):
            self._lines.send_line(encode(Exit()))
            while self._lines.waiting(max(0.0, ends_s - time.monotonic())):
                if self._lines.receive_lines() is None:
                    return
        raise ProbeFailed(f"the probe did not end within {DEADLINE_S:g} s")

    def _reports(self) -> Iterator[Report]:
        lines = self._lines.receive_lines()
        if lines is None:
            raise self._ended()
        yield from map(decode_report, lines)

    def _answer(self, report: Report) -> None:
        match report:
            case ProcessUp():
                self._lines.send_line(encode(Roster(1, ())))
            case Ready():
                self._lines.send_line(encode(StartRounds()))
            case RoundsBegun() | RoundDone():
                self.observed.at_rounds.append(cpu_s_of(self._pid))
            case AtBarrier():
                self.observed.note(self._look(), waits=True)
                self._lines.send_line(encode(LeaveBarrier()))
            case PeerDone():
                self._done = True

    def _look(self) -> ProcessMemory:
        began_s = time.monotonic()
        try:
            return memory_of(self._pid)
        except ProcessLookupError:
            raise self._ended() from None
        finally:
            self._look_s = time.monotonic() - began_s

    def _ended(self) -> ProbeFailed:
        try:
            last = self.spec.log_path.read_text(errors="replace").splitlines()[-1:]
        except OSError:
            last = []
        return ProbeFailed(f"the probe ended early{': ' + last[0] if last else ''}")


def _cost(plan: Plan, probe: _PeerProbe) -> PeerCost:
    """Return the cost, of what was seen and of the journal that the probe left."""
    spec, observed = probe.spec, probe.observed
    rounds = _trainings(read_journal(spec.journal_path))
    steps_s = [_step_s(each) for each in rounds]
    if len(rounds) < ROUNDS or len(observed.at_rounds) <= ROUNDS or not steps_s[-1]:
        raise ProbeFailed("the probe ended without having trained")
    last_round_s = observed.at_rounds[-1] - observed.at_rounds[-2]
    planned = plan.peers[spec.peer_id]
    return PeerCost(
        donors=donors_of_a_probe(plan, spec.peer_id),
        trained=len(spec.data.train),
        tested=len(spec.data.test),
        parameters=planned.parameters,
        macs=planned.macs,
        held_bytes=observed.held_bytes,
        peak_bytes=observed.peak_bytes,
        page_table_bytes=observed.page_table_bytes,
        start_s=observed.at_rounds[0],
        step_s=steps_s[-1],
        dense_step_s=steps_s[0],
        round_s=max(0.0, last_round_s - sum(each["cpu_s"] for each in rounds[-1])),
    )


def _trainings(records: Iterable[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Return the records of training in each round; fine-tuning after the last is left out."""
    rounds: list[list[Mapping[str, Any]]] = [[]]
    for each in records:
        if each["record"] in ("trained", "probed"):
            rounds[-1].append(each)
        elif each["record"] == "resources":  # the round has ended
            rounds.append([])
    return rounds[:-1]


def _step_s(trainings: Sequence[Mapping[str, Any]]) -> float:
    """Return the CPU time of a step, over a round's trainings but for those of W0; 0 = none."""
    own = [each for each in trainings if each["record"] == "trained"]
    steps = sum(each["steps"] for each in own)
    return sum(each["cpu_s"] for each in own) / steps if steps else 0.0
