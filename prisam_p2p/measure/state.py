"""The state from which a restarted peer continues, written atomically after each round.

The state of the round before is kept: when a whole run is resumed, all peers continue from the
same round, and some had finished one more than others (docs/decisions/0020-survival.md).
Random draws follow from (seed, peer, round) and a fresh optimizer begins each round, so weights,
masks and a few numbers are the whole state.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pydantic
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from prisam_p2p.core.layout import Array, Layout, Weights
from prisam_p2p.errors import ConfigError
from prisam_p2p.measure.files import written_beside

_MASK, _BEFORE = "mask", ".before"
_EARLIER = re.compile(rf"\{_BEFORE}-\d+$")

MOST_EARLIER = 8
"""States before the last two that are kept of a peer that others may be behind by some rounds."""

MOST_SPARSE = 8
"""States before those that are kept of a peer on another host; between them are growing gaps."""

Memory = Mapping[str, Array]


class Progress(pydantic.BaseModel):
    """The numbers of a peer's state.

    Attributes:
        rounds_done: finished rounds, which is also the next round.
        affinity: peer -> (sum of mask similarities, rounds heard).
        validations: accuracy at the end of each round that was evaluated since `data_since`.
        data_since: the round from which the peer has its data.
        layout: digest of the network's layout, hexadecimal.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    rounds_done: int
    incarnation: int
    prune_ratio: float
    affinity: dict[str, tuple[float, int]]
    validations: list[float]
    layout: str
    data_since: int = 0


def save_state(
    path: Path,
    weights: Weights,
    progress: Progress,
    memory: Memory | None = None,
    earlier: int = 0,
    sparse: int = 0,
) -> None:
    """Write the state for the next round, and keep the one before.

    Args:
        memory: what an algorithm keeps between rounds besides the weights.
        earlier: how many states before those two are kept as well.
        sparse: how many before those, see `surplus_rounds`.

    Raises:
        OSError: it cannot be written; the earlier states are kept.
    """
    arrays = {f"w.{name}": _contiguous(array) for name, array in weights.tensors.items()}
    arrays |= {f"m.{name}": _contiguous(array) for name, array in (memory or {}).items()}
    metadata = {"progress": progress.model_dump_json()}
    with written_beside(path) as beside:  # save_file would go by a file of its own
        beside.write_bytes(save(arrays | {_MASK: weights.mask}, metadata))
        if path.exists() and state_round(path) != progress.rounds_done:
            if earlier and _before(path).exists():
                _make_earlier(_before(path), path)
                drop_surplus(path, earlier, sparse)
            path.replace(_before(path))


def kept_states(path: Path) -> dict[int, Path]:
    """Return next round -> file, of the states written to `path`.

    Raises:
        ConfigError: a file is no state.
    """
    kept = {}
    for each in (*earlier_states(path), _before(path), path):
        try:
            kept[state_round(each)] = each
        except ConfigError:
            if each.exists():  # an agent removes an earlier one when the launcher has it
                raise
    return kept


def state_round(path: Path) -> int:
    """Return the round that a state is for.

    Raises:
        ConfigError: the file is no state.
    """
    return _progress(path).rounds_done


def earlier_states(path: Path) -> list[Path]:
    """Return the files of states before the last two, ascending; peers on other hosts have such."""
    found = path.parent.glob(f"{path.stem}{_BEFORE}-*{path.suffix}")
    return sorted((each for each in found if is_earlier(each)), key=_round_in_name)


def is_earlier(path: Path) -> bool:
    """Tell whether a file is a state before a peer's last two, by its name."""
    return _EARLIER.search(path.stem) is not None


def order_of_age(path: Path) -> tuple[int, int]:
    """Return what a peer's states are sorted by, from the oldest to the last, by their names."""
    if is_earlier(path):
        return 0, _round_in_name(path)
    return (1, 0) if path.stem.endswith(_BEFORE) else (2, 0)


def surplus_rounds(rounds: Collection[int], dense: int, sparse: int) -> set[int]:
    """Return the rounds of states that need not be kept.

    Kept are the last `dense`. Of those before, the oldest is kept, and the multiples of the least
    power of two of which there are few enough: so peers that are many rounds apart still have
    rounds in common.

    Args:
        sparse: how many are kept of those before the last `dense`; 0 = none.
    """
    ordered = sorted(rounds)
    old = ordered[: max(0, len(ordered) - dense)]
    kept, step = old if sparse else [], 1
    while len(kept) > sparse:
        step *= 2
        kept = [t for t in old if t == old[0] or t % step == 0]
    return {*old} - {*kept}


def drop_surplus(path: Path, dense: int, sparse: int) -> None:
    """Remove states before the last two that need not be kept, see `surplus_rounds`."""
    earlier = {_round_in_name(each): each for each in earlier_states(path)}
    for t in surplus_rounds(earlier, dense, sparse):
        earlier[t].unlink(missing_ok=True)


def rounds_to_begin_with(states: Collection[int]) -> set[int]:
    """Return the rounds that a peer can begin with: its states', and 0 where it dropped none.

    In round 0 each peer begins with W0.
    """
    return {*states} | ({0} if min(states, default=0) <= 1 else set())


def arrange_states(path: Path, found: Mapping[int, Path]) -> None:
    """Give a peer's states the names of their age: the last, the one before, earlier ones.

    Args:
        path: of the last state.
        found: next round -> file.
    """
    names = [path, _before(path)]
    by_age = [*zip(sorted(found, reverse=True), names, strict=False)]
    for t in found.keys() - {t for t, _ in by_age}:
        found[t].replace(_earlier(path, t))
    for t, name in reversed(by_age):  # the one before makes room for the last
        found[t].replace(name)


def go_back_to(path: Path, rounds_done: int) -> None:
    """Make the latest state up to a round the last one, and forget the later ones.

    Without one that old no state is left: the peer begins with W0.

    Raises:
        ConfigError: a file is no state.
    """
    kept = kept_states(path)
    due = max((done for done in kept if done <= rounds_done), default=None)
    for done, each in kept.items():
        if due is None or done > due:
            each.unlink()
    if due is not None and kept[due] != path:
        kept[due].replace(path)


def _make_earlier(state: Path, last: Path) -> None:
    state.replace(_earlier(last, state_round(state)))


def _earlier(last: Path, rounds_done: int) -> Path:
    return last.with_suffix(f"{_BEFORE}-{rounds_done}{last.suffix}")


def _round_in_name(earlier: Path) -> int:
    return int(earlier.stem.rpartition("-")[2])


def last_of(path: Path) -> Path:
    """Return the file of a peer's last state, of the file of any of its states."""
    return path.with_name(_EARLIER.sub("", path.stem).removesuffix(_BEFORE) + path.suffix)


def load_state(path: Path, layout: Layout) -> tuple[Weights, Progress]:
    """Return what `save_state` wrote.

    Raises:
        ConfigError: there is no such file, or it is of another network.
    """
    progress = _progress(path)
    if progress.layout != layout.digest.hex():
        raise ConfigError(str(path), "layout", progress.layout, layout.digest.hex())
    with _opened(path) as file:
        mask = file.get_tensor(_MASK)
        tensors = {t.name: file.get_tensor(f"w.{t.name}") for t in layout.tensors}
    for tensor in layout.tensors:
        if tensors[tensor.name].shape != tensor.slim_shape(mask):
            shape = str(tensors[tensor.name].shape)
            raise ConfigError(str(path), tensor.name, shape, str(tensor.slim_shape(mask)))
    return Weights(mask, tensors), progress


def load_memory(path: Path) -> dict[str, Array]:
    """Return the memory that `save_state` wrote; earlier versions wrote none.

    Raises:
        ConfigError: there is no such file, or it is no state.
    """
    with _opened(path) as file:
        names = [name for name in file.keys() if name.startswith("m.")]  # noqa: SIM118
        return {name.removeprefix("m."): file.get_tensor(name) for name in names}


def _contiguous(array: Array) -> Array:
    """Return the array in C order; np.ascontiguousarray alone makes a scalar an array of one."""
    return np.ascontiguousarray(array).reshape(np.shape(array))


def _progress(path: Path) -> Progress:
    with _opened(path) as file:
        return Progress.model_validate_json((file.metadata() or {}).get("progress", ""))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, framework="numpy") as file:
            yield file
    except (OSError, SafetensorError, pydantic.ValidationError) as error:
        raise ConfigError(str(path), "", str(error), "the state of a peer of this run") from error


def _before(path: Path) -> Path:
    return path.with_suffix(f"{_BEFORE}{path.suffix}")
