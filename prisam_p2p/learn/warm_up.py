"""What a process does once, before it forks peers, so that no peer pays for it."""

from __future__ import annotations

from collections.abc import Callable

import torch

from prisam_p2p.errors import ConfigError
from prisam_p2p.learn.dry_run import single_thread
from prisam_p2p.learn.learner import initial_weights
from prisam_p2p.learn.models import Architecture
from prisam_p2p.learn.structure import slim_module
from prisam_p2p.learn.training import Sgd
from prisam_p2p.settings import Device, Grouping


def usable_device(device: Device) -> None:
    """Refuse a device that this machine has not; CUDA is not initialized, a fork must not see it.

    Raises:
        ConfigError: there is no such device.
    """
    if device is Device.CUDA and torch.cuda.device_count() == 0:
        raise ConfigError("--device", "", device.value, "cpu: torch finds no CUDA device here")


def use_threads(n_threads: int) -> None:
    """Compute with so many threads in this process; a fresh pool is made where there was none."""
    torch.set_num_threads(n_threads)


def training_step(architecture: Architecture, seed: int, batch_size: int) -> Callable[[], None]:
    """Return what makes one training step of the dense model, single-threaded.

    The first call pays for torch's lazy initialization and fills the caches of the layout and
    W0; forked peers inherit both. A second thread here would make every forked peer hang.
    """
    net = slim_module(architecture, initial_weights(architecture, seed))
    net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = Sgd(net, learning_rate=1e-3, momentum=0.9)
    images = torch.zeros(batch_size, *architecture.image_shape)
    labels = torch.zeros(batch_size, dtype=torch.int64)

    def step() -> None:
        with single_thread():
            net.zero_grad(set_to_none=True)
            loss = torch.nn.functional.cross_entropy(net(images), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()

    return step


def warm_imports(grouping: Grouping) -> None:
    """Import now what a peer's first round would."""
    if grouping is not Grouping.TOP_M:
        import sklearn.cluster  # noqa: F401
