"""Random scenarios of kills, restarts, pauses and cuts: text of a TOML file, from a seed. Pure.

Half of the faults have a round and phase, so that they race with nothing. The others are timed by
the clock, and hit whatever is going on.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from prisam_p2p.faults.scenario.timing import PHASES

_LATEST_S = 1.5
"""Latest time of a fault by the clock, after the rounds began: every run takes longer."""

Lines = dict[str, str]


def draw_scenario(seed: int, cycle: int, rounds: int, with_links: bool) -> str:
    """Return a scenario of 2 to 6 faults for a run of at least three rounds.

    Args:
        cycle: number of the run; each has a draw of its own.
        with_links: the network can cut links.
    """
    rng = np.random.default_rng([seed, cycle])
    recipes = [_kill, _restart, _pause, *([_cut, _partition] if with_links else [])]
    text = [f'description = "Cycle {cycle} of a soak with seed {seed}"', "", "[guard]"]
    text += ["most_down = 0.5"]
    for number in range(int(rng.integers(2, 7))):
        make = recipes[int(rng.integers(len(recipes)))]
        table = {"id": f'"f{number}"'} | _made(make, rng, rounds)
        text += ["", "[[fault]]", *(f"{key} = {value}" for key, value in table.items())]
    return "\n".join(text) + "\n"


def _made(
    make: Callable[[np.random.Generator, bool], Lines], rng: np.random.Generator, rounds: int
) -> Lines:
    timed = bool(rng.integers(2))
    table = make(rng, timed)
    if timed:
        table["at"] = f"{{ time_s = {_seconds(rng, 0.2, _LATEST_S)} }}"
    else:
        phase = PHASES[int(rng.integers(len(PHASES)))]
        table["at"] = f'{{ round = {rng.integers(1, rounds - 1)}, phase = "{phase}" }}'
    return table


def _kill(rng: np.random.Generator, timed: bool) -> Lines:
    heal = _heal(rng, timed) if rng.integers(3) else {}  # one in three for good
    return {"kind": '"kill"', "peers": _some(rng), **heal}


def _restart(rng: np.random.Generator, _timed: bool) -> Lines:
    source = ("state", "fresh")[int(rng.integers(2))]
    down_s = 0.0 if rng.integers(2) else _seconds(rng, 0.1, 1.5)
    return {
        "kind": '"restart"',
        "peers": _some(rng),
        "from": f'"{source}"',
        "down_s": str(down_s),
    }


def _pause(rng: np.random.Generator, timed: bool) -> Lines:
    return {"kind": '"pause"', "peers": _some(rng), **_heal(rng, timed)}


def _cut(rng: np.random.Generator, timed: bool) -> Lines:
    how = ("drop", "reject", "reset")[int(rng.integers(3))]
    links = f"{{ of = {_some(rng)} }}"
    return {"kind": '"cut"', "how": f'"{how}"', "links": links, **_heal(rng, timed)}


def _partition(rng: np.random.Generator, timed: bool) -> Lines:
    groups = '[{ percent = 50 }, "all"]'
    return {"kind": '"partition"', "groups": groups, **_heal(rng, timed)}


def _some(rng: np.random.Generator) -> str:
    return f"{{ pick = {rng.integers(1, 4)} }}"


def _heal(rng: np.random.Generator, timed: bool) -> Lines:
    if timed or rng.integers(2):
        return {"heal": f"{{ after_s = {_seconds(rng, 0.2, 2.5)} }}"}
    return {"heal": f"{{ rounds = {rng.integers(1, 3)} }}"}


def _seconds(rng: np.random.Generator, least: float, most: float) -> float:
    return round(float(rng.uniform(least, most)), 2)
