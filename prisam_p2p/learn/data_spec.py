"""What a model is told of the data that it is made for."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from prisam_p2p.learn.dataset_pools import InputType

DTYPES: dict[InputType, torch.dtype] = {"float32": torch.float32, "int64": torch.int64}
"""Types of inputs, as a plan has them: numbers, or indices such as those of words."""


@dataclass(frozen=True)
class DataSpec:
    """The data of a run, as a model sees it.

    Attributes:
        shape: of one input: (C, H, W) of images, (n,) of rows of a table or of words.
        dtype: of inputs, "float32" or "int64".
        n_classes: labels are 0 .. n_classes - 1, and the model returns as many logits.
        example: a batch of two inputs, shape `(2, *shape)`, of zeros.
    """

    shape: tuple[int, ...]
    dtype: InputType
    n_classes: int
    example: torch.Tensor = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "example", blank(2, self.shape, self.dtype))


def blank(n: int, shape: tuple[int, ...], dtype: InputType) -> torch.Tensor:
    """Return a batch of `n` inputs of zeros, on the CPU."""
    return torch.zeros(n, *shape, dtype=DTYPES[dtype], device="cpu")
