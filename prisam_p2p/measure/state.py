"""The state from which a restarted peer continues, written atomically after each round.

The state of the round before is kept: when a whole run is resumed, all peers continue from the
same round, and some had finished one more than others (docs/decisions/0020-survival.md).
Random draws follow from (seed, peer, round) and a fresh optimizer begins each round, so weights,
masks and a few numbers are the whole state.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
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
"""States before the last two that are kept of a peer that lives on another host: by so many rounds
the states that are collected from one host may be behind those of the others."""

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
) -> None:
    """Write the state for the next round, and keep the one before.

    Args:
        memory: what an algorithm keeps between rounds besides the weights.
        earlier: how many states before those two are kept as well.

    Raises:
        OSError: it cannot be written; the earlier states are kept.
    """
    arrays = {f"w.{name}": _contiguous(array) for name, array in weights.tensors.items()}
    arrays |= {f"m.{name}": _contiguous(array) for name, array in (memory or {}).items()}
    metadata = {"progress": progress.model_dump_json()}
    with written_beside(path) as beside:  # save_file would go by a file of its own
        beside.write_bytes(save(arrays | {_MASK: weights.mask}, metadata))
        if path.exists() and _progress(path).rounds_done != progress.rounds_done:
            if earlier and _before(path).exists():
                _make_earlier(_before(path), path)
                for surplus in earlier_states(path)[:-earlier]:
                    surplus.unlink(missing_ok=True)
            path.replace(_before(path))


def kept_states(path: Path) -> dict[int, Path]:
    """Return next round -> file, of the states written to `path`.

    Raises:
        ConfigError: a file is no state.
    """
    kept = {}
    for each in (*earlier_states(path), _before(path), path):
        try:
            kept[_progress(each).rounds_done] = each
        except ConfigError:
            if each.exists():  # an agent removes an earlier one when the launcher has it
                raise
    return kept


def earlier_states(path: Path) -> list[Path]:
    """Return the files of states before the last two, ascending; peers on other hosts have such."""
    found = path.parent.glob(f"{path.stem}{_BEFORE}-*{path.suffix}")
    return sorted((each for each in found if is_earlier(each)), key=_round_in_name)


def is_earlier(path: Path) -> bool:
    """Tell whether a file is a state before a peer's last two, by its name."""
    return _EARLIER.search(path.stem) is not None


def place_state(arrived: Path, path: Path, since: int) -> int:
    """Put a state that came from another host in its place; keep those that others may need.

    Peers of different hosts are collected at different moments: the last two states of each need
    have no round in common, which a resumed run begins with.

    Args:
        arrived: is moved.
        path: where it belongs: the last state, or the one before.
        since: earlier states are kept from this round on.

    Returns:
        The round that it is for.

    Raises:
        ConfigError: it is no state.
        OSError: it cannot be moved.
    """
    own, last = _progress(arrived).rounds_done, _last_of(path)
    before = _before(last)
    if is_earlier(path):
        arrived.replace(_earlier(last, own))
    else:
        if path.exists() and _progress(path).rounds_done != own:
            if path == last and before.exists():
                _make_earlier(before, last)
            if path == last:
                path.replace(before)
            else:
                _make_earlier(path, last)
        arrived.replace(path)
        _forget(last, lambda done: done >= own)
    _forget(last, lambda done: done < since)
    for surplus in earlier_states(last)[:-MOST_EARLIER]:
        surplus.unlink()
    return own


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


def _forget(last: Path, is_over: Callable[[int], bool]) -> None:
    """Remove earlier states by their round."""
    for each in earlier_states(last):
        if is_over(_round_in_name(each)):
            each.unlink()


def _make_earlier(state: Path, last: Path) -> None:
    state.replace(_earlier(last, _progress(state).rounds_done))


def _earlier(last: Path, rounds_done: int) -> Path:
    return last.with_suffix(f"{_BEFORE}-{rounds_done}{last.suffix}")


def _round_in_name(earlier: Path) -> int:
    return int(earlier.stem.rpartition("-")[2])


def _last_of(path: Path) -> Path:
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
