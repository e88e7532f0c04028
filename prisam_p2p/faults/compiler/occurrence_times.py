"""The trigger of each occurrence of a fault, and the generator of its draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from prisam_p2p.control.spec import Phase
from prisam_p2p.faults.compiler.draft import occurrence_generator
from prisam_p2p.faults.compiler.resolve_peers import KeyPath
from prisam_p2p.faults.fault_plan import AfterFault, AtRound, AtTime, AtTransfer, Trigger
from prisam_p2p.faults.scenario.fault import Fault
from prisam_p2p.faults.scenario.timing import At, Every
from prisam_p2p.plan.toml_file import Told

MAX_OCCURRENCES = 10_000

Timed = tuple[Trigger, np.random.Generator]


def occurrence_times(
    fault: Fault, n_before: int, rounds: int, seed: int, path: KeyPath
) -> list[Timed]:
    """Return the trigger of each occurrence and its generator.

    Args:
        n_before: occurrences of the fault named in `at.after`; this one has as many.
        rounds: of the run; `every` ends with it.

    Raises:
        ConfigError: the run has no such round, no occurrence is left, or there are too many.
    """

    def generator(occurrence: int) -> np.random.Generator:
        return occurrence_generator(seed, fault.id, occurrence)

    if fault.every is not None and fault.every.seconds is not None:
        return _in_seconds(fault.at, fault.every, generator, path)
    triggers = _triggers(fault, n_before, rounds, path)
    if len(triggers) > MAX_OCCURRENCES:
        raise _too_many(path)
    return [(trigger, generator(n)) for n, trigger in enumerate(triggers)]


def _triggers(fault: Fault, n_before: int, rounds: int, path: KeyPath) -> list[Trigger]:
    at, every = fault.at, fault.every
    if at is None:
        return [AtRound(round=0, phase="train")]
    if every is not None and at.phase is not None:
        return [*_in_rounds(at.phase, every, rounds, path)]
    if at.round is not None and at.round >= rounds:
        raise path.error("at.round", at.round, f"a round below {rounds}, the rounds of the run")
    if at.phase is not None:
        return [AtRound(round=at.round or 0, phase=at.phase)]
    if at.time_s is not None:
        return [AtTime(time_s=at.time_s)]
    if at.event is not None:
        return [AtTransfer(event=at.event, share=at.share or 0, round=at.round)]
    return [_after(at, n) for n in range(n_before)]


def _after(at: At, n: int) -> AfterFault:
    return AfterFault(after=f"{at.after}#{n}", edge=at.edge or "applied", delay_s=at.delay_s or 0)


def _in_rounds(phase: Phase, every: Every, rounds: int, path: KeyPath) -> Iterator[AtRound]:
    first = every.from_ or 0
    if first >= rounds:
        raise path.error("every.from", first, f"a round below {rounds}, the rounds of the run")
    last = rounds - 1 if every.until is None else min(every.until, rounds - 1)
    for round_index in range(first, last + 1, every.rounds or 1):
        yield AtRound(round=round_index, phase=phase)


def _in_seconds(
    at: At | None,
    every: Every,
    generator: Callable[[int], np.random.Generator],
    path: KeyPath,
) -> list[Timed]:
    """Return the triggers from `at`, or the start, to `until_s`; the first is one gap later."""
    time_s, found = at.time_s or 0.0 if at else 0.0, list[Timed]()
    until_s = every.until_s or 0.0
    while True:
        own = generator(len(found))
        time_s += _gap_s(every, own)
        moment_s = round(time_s, 6)  # so that a sum of tenths meets its end
        if moment_s > until_s:
            break
        if len(found) == MAX_OCCURRENCES:
            raise _too_many(path)
        found.append((AtTime(time_s=moment_s), own))
    if not found:
        raise path.error("every.until_s", until_s, "a later end: no occurrence comes before it")
    return found


def _gap_s(every: Every, own: np.random.Generator) -> float:
    """Return the seconds to the next occurrence; `uniform` is from 0 to twice the mean."""
    mean_s = every.seconds or 0.0
    if every.distribution == "exponential":
        return float(own.exponential(mean_s))
    if every.distribution == "uniform":
        return float(own.uniform(0, 2 * mean_s))
    return mean_s


def _too_many(path: KeyPath) -> Exception:
    return path.error(
        "every", Told("too many"), f"at most {MAX_OCCURRENCES} occurrences of a fault"
    )
