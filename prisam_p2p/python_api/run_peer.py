"""A peer of a run, from its run folder: its result, its masks, its model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from prisam_p2p.core.bits import packed_size, unpack_bits
from prisam_p2p.errors import ConfigError
from prisam_p2p.plan.toml_file import Told
from prisam_p2p.python_api.run_summary import PeerSummary
from prisam_p2p.report.run_folder import RunFolder

if TYPE_CHECKING:
    from torch import nn

    from prisam_p2p.learn.data_spec import DataSpec

MaskKind = Literal["structure", "similarity"]


@dataclass(frozen=True, repr=False)
class RunPeer:
    """One peer of a run.

    Attributes:
        summary: its result.
    """

    id: str
    summary: PeerSummary
    folder: RunFolder

    @property
    def journal(self) -> list[dict[str, Any]]:
        """Its records, in the order written (docs/run-folder.md)."""
        return self.folder.journals[self.id]

    def mask(self, round: int | None = None, kind: MaskKind = "structure") -> npt.NDArray[np.bool_]:
        """Return a mask of the peer, shape (mask_bits,), True = kept.

        Args:
            round: None = the last one that has a mask.
            kind: structure: of its own slim model; similarity: what it announced.

        Raises:
            ConfigError: there is no such mask.
        """
        where = f"peer {self.id}"
        if kind not in ("structure", "similarity"):
            raise ConfigError(where, "kind", kind, "structure or similarity")
        masks = {each["round"]: each[kind] for each in self.folder.records(self.id, "masked")}
        masks = {t: mask for t, mask in masks.items() if mask}
        if not masks:
            right = f"a run whose peers have {kind} masks"
            raise ConfigError(where, "mask", Told("none"), right)
        wanted = max(masks) if round is None else round
        if wanted not in masks:
            right = f"one of the rounds that have a mask: {', '.join(map(str, sorted(masks)))}"
            raise ConfigError(where, "round", wanted, right)
        n_bits, packed = self.folder.plan["model"]["mask_bits"], bytes.fromhex(masks[wanted])
        if len(packed) != packed_size(n_bits):
            right = f"a mask of the model's {n_bits} channels"
            raise ConfigError(where, "mask", Told(f"{len(packed)} bytes"), right)
        return unpack_bits(packed, n_bits)

    def weights(self) -> dict[str, npt.NDArray[Any]]:
        """Return tensor name -> array of the personalized model, which is slim.

        Raises:
            ConfigError: the peer left no model, or its file cannot be read.
        """
        path = self._model_path()
        try:
            with safe_open(path, framework="numpy") as file:
                return {name: file.get_tensor(name) for name in list(file.keys())}
        except (OSError, SafetensorError, TypeError) as error:  # TypeError: NumPy lacks the dtype
            raise ConfigError(str(path), "", Told(str(error)), "a safetensors file") from error

    def model(self, factory: Callable[[DataSpec, float], nn.Module] | None = None) -> nn.Module:
        """Return the personalized model, in evaluation mode.

        Args:
            factory: the function that made the network, where it is a user's own. The code that the
                run folder names is never imported: it may be a stranger's.

        Raises:
            ConfigError: the peer left no model, its file cannot be read, or a user's code defines
                it and there is no `factory`; the error names the code.
        """
        from prisam_p2p.learn.personalized import load_personalized  # late: it imports torch

        return load_personalized(self._model_path(), factory)

    def __repr__(self) -> str:
        deployed = self.summary.accuracy.deployed
        accuracy = "no model" if deployed is None else f"accuracy {deployed:.3f}"
        return f"<peer {self.id}: {self.summary.state}, {accuracy}>"

    def _model_path(self) -> Path:
        path = self.folder.path / "models" / f"{self.id}.safetensors"
        if not path.is_file():
            right = (
                f"a model, which a peer leaves when it completes; {self.id}: {self.summary.state}"
            )
            raise ConfigError(str(path), "", Told("no such file"), right)
        return path
