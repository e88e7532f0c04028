"""Two networks small enough to check by hand, and strategies over their masks and weights.

`plain`: conv1, bn1, conv2, bn2, linear; each BN layer is a channel set of its own.
`residual`: a stream of `n` channels through bn1, bn3 and bn4 (which also normalizes one channel
of raw input, standing before the stream's), around an inner bn2 of `m` channels.
"""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from prisam_p2p.core.layout import (
    UNGOVERNED,
    BnView,
    ChannelSet,
    Layout,
    TensorLayout,
    Weights,
    narrow,
)

WEIGHT = np.dtype("<f4")
COUNTER = np.dtype("<i8")


def tensor(name, shape, bits=None, *, trainable=True, dtype=WEIGHT):
    return TensorLayout(name, shape, dtype, trainable, bits or {})


def batch_norm(name, bits):
    shape, governed = (len(bits),), {0: np.asarray(bits, np.intp)}
    return [
        tensor(f"{name}.weight", shape, governed),
        tensor(f"{name}.bias", shape, governed),
        tensor(f"{name}.running_mean", shape, governed, trainable=False),
        tensor(f"{name}.running_var", shape, governed, trainable=False),
        tensor(f"{name}.num_batches_tracked", (), trainable=False, dtype=COUNTER),
    ]


def channel_set(size, *views):
    return ChannelSet(
        views[0][0],
        size,
        tuple(BnView(name, np.asarray(positions, np.intp)) for name, positions in views),
    )


def plain(a=4, b=3, classes=2):
    """conv1 has 1x2 kernels on one input channel; conv2 has 1x1 kernels."""
    first, second = np.arange(a), np.arange(a, a + b)
    return Layout(
        (channel_set(a, ("bn1", range(a))), channel_set(b, ("bn2", range(b)))),
        (
            tensor("conv1.weight", (a, 1, 1, 2), {0: first}),
            *batch_norm("bn1", first),
            tensor("conv2.weight", (b, a, 1, 1), {0: second, 1: first}),
            *batch_norm("bn2", second),
            tensor("linear.weight", (classes, b), {1: second}),
            tensor("linear.bias", (classes,)),
        ),
    )


def residual(n=3, m=2, classes=2):
    """conv1 -> bn1 -> (+ conv2 -> bn2 -> conv3 -> bn3) -> cat(input, stream) -> bn4 -> linear."""
    stream, inner = np.arange(n), np.arange(n, n + m)
    joined = np.r_[UNGOVERNED, stream]
    return Layout(
        (
            channel_set(n, ("bn1", range(n)), ("bn3", range(n)), ("bn4", range(1, n + 1))),
            channel_set(m, ("bn2", range(m))),
        ),
        (
            tensor("conv1.weight", (n, 1, 1, 1), {0: stream}),
            *batch_norm("bn1", stream),
            tensor("conv2.weight", (m, n, 1, 2), {0: inner, 1: stream}),
            *batch_norm("bn2", inner),
            tensor("conv3.weight", (n, m, 1, 1), {0: stream, 1: inner}),
            *batch_norm("bn3", stream),
            *batch_norm("bn4", joined),
            tensor("linear.weight", (classes, n + 1), {1: joined}),
            tensor("linear.bias", (classes,)),
        ),
    )


def mask_of(bits):
    """Return the mask written as `bits`: "1100 101"."""
    return np.array([bit == "1" for bit in bits.replace(" ", "")])


def constant(layout, value, **tensors):
    """Return full weights whose every entry is `value`, but for the named tensors (__ for .)."""
    state = {t.name: np.full(t.shape, value, t.dtype) for t in layout.tensors}
    for name, array in tensors.items():
        name = name.replace("__", ".")
        state[name] = np.asarray(array, state[name].dtype).reshape(state[name].shape)
    return Weights(layout.full_mask(), state)


def random_weights(layout, seed):
    """Return full weights of which no two entries are likely to be equal."""
    rng = np.random.default_rng(seed)
    return Weights(
        layout.full_mask(),
        {
            t.name: rng.integers(0, 2**40, t.shape, t.dtype)
            if t.dtype == COUNTER
            else rng.standard_normal(t.shape, np.float32)
            for t in layout.tensors
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


sizes = st.integers(1, 4)
layouts = st.builds(plain, sizes, sizes, sizes) | st.builds(residual, sizes, sizes, sizes)
seeds = st.integers(0, 2**32 - 1)
any_ratio = st.integers(0, 99).map(lambda percent: percent / 100)


def masks(layout):
    """Any mask, also one that leaves a layer nothing: a Byzantine peer may send it."""
    return st.lists(st.booleans(), min_size=layout.n_bits, max_size=layout.n_bits).map(np.array)


@st.composite
def slim_weights(draw, layout):
    return narrow(layout, random_weights(layout, draw(seeds)), draw(masks(layout)))


@st.composite
def networks(draw):
    """A layout, and slim weights of it."""
    layout = draw(layouts)
    return layout, draw(slim_weights(layout))
