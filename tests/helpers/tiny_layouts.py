"""A network of one convolution, small or as many bytes as a test needs, and weights of it."""

from __future__ import annotations

import numpy as np

from prisam_p2p.core.layout import BnView, ChannelSet, Layout, TensorLayout, Weights

WEIGHT = np.dtype("<f4")
COUNTER = np.dtype("<i8")


def one_layer(channels=5, inputs=3):
    """conv (1x1 kernels) -> bn -> a linear layer of two classes; one mask bit a channel."""
    bits = np.arange(channels)
    governed = {0: bits}
    return Layout(
        (ChannelSet("bn", channels, (BnView("bn", bits),)),),
        (
            TensorLayout("conv.weight", (channels, inputs, 1, 1), WEIGHT, True, governed),
            TensorLayout("bn.weight", (channels,), WEIGHT, True, governed),
            TensorLayout("bn.bias", (channels,), WEIGHT, True, governed),
            TensorLayout("bn.running_mean", (channels,), WEIGHT, False, governed),
            TensorLayout("bn.running_var", (channels,), WEIGHT, False, governed),
            TensorLayout("linear.weight", (2, channels), WEIGHT, True, {1: bits}),
            TensorLayout("linear.bias", (2,), WEIGHT, True, {}),
            TensorLayout("bn.num_batches_tracked", (), COUNTER, False, {}),
        ),
    )


def random_weights(layout, seed=0, mask=None):
    """Slim weights of which no two entries are likely to be equal; mask None = all channels."""
    rng = np.random.default_rng(seed)
    mask = layout.full_mask() if mask is None else mask
    shapes = {t.name: (t.slim_shape(mask), t.dtype) for t in layout.tensors}
    return Weights(
        mask,
        {
            name: rng.integers(0, 2**40, shape, dtype)
            if dtype == COUNTER
            else rng.standard_normal(shape, WEIGHT)
            for name, (shape, dtype) in shapes.items()
        },
    )


def same(one, other):
    """Tell whether two `Weights` are equal: mask, names and their order, types, shapes, bytes."""
    return (
        one.mask.tolist() == other.mask.tolist()
        and list(one.tensors) == list(other.tensors)
        and all(
            one.tensors[name].dtype == other.tensors[name].dtype
            and one.tensors[name].shape == other.tensors[name].shape
            and one.tensors[name].tobytes() == other.tensors[name].tobytes()
            for name in one.tensors
        )
    )
