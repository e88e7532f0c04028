"""Work that a process does once before it forks peers, so that no peer has to do it."""

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
    """Check that this machine has the device, without initializing CUDA, which breaks a later fork.

    Raises:
        ConfigError: there is no such device.
    """
    if device is Device.CUDA and torch.cuda.device_count() == 0:
        raise ConfigError("--device", "", device.value, "cpu, as torch finds no CUDA device here")


def take_share_of_gpu(device: Device, gpu: float | None) -> None:
    """Bound the memory that torch takes in this process of a GPU that others have a share of, too.

    What CUDA itself takes, some hundred MiB, is not counted. An allocation beyond it raises torch's
    OutOfMemoryError, as on a device of that size. This initializes CUDA.

    Args:
        gpu: the share; a whole GPU, or None, has no bound.
    """
    if device is Device.CUDA and gpu is not None and gpu < 1:
        torch.cuda.set_per_process_memory_fraction(gpu)


def use_threads(n_threads: int) -> None:
    """Let torch compute with this many threads in this process."""
    torch.set_num_threads(n_threads)


def training_step(architecture: Architecture, seed: int, batch_size: int) -> Callable[[], None]:
    """Return a function that makes one training step of the dense model, in one thread.

    This call fills the caches of the layout and of W0, and the first step initializes torch;
    forked peers inherit all of it. A second thread here would make every forked peer hang.

    Raises:
        ConfigError: `models.build` refuses the architecture, or its channels cannot be pruned.
    """
    net = slim_module(architecture, initial_weights(architecture, seed))
    net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = Sgd(net, learning_rate=1e-3, momentum=0.9)
    images = architecture.blank(batch_size)
    labels = torch.zeros(batch_size, dtype=torch.int64)

    def step() -> None:
        with single_thread():
            net.zero_grad(set_to_none=True)
            loss = torch.nn.functional.cross_entropy(net(images), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()

    return step


def warm_imports(grouping: str) -> None:
    """Import the packages that a peer's first round would import."""
    if grouping in (Grouping.KMEANS, Grouping.DBSCAN):
        import sklearn.cluster  # noqa: F401
