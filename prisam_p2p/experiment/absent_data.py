"""A dry run without the data: the time of a training step, at the data's usual shape."""

from __future__ import annotations

from prisam_p2p.learn.models import Architecture
from prisam_p2p.learn.warm_up import training_step
from prisam_p2p.plan.user_code import Code
from prisam_p2p.settings import RunSettings
from prisam_p2p.system.host import host_facts

USUAL = {
    "fashion-mnist": (10, (1, 28, 28)),
    "cifar10": (10, (3, 32, 32)),
    "cifar100": (100, (3, 32, 32)),
    "svhn": (10, (3, 32, 32)),
    "folder": (10, (3, 32, 32)),
}
"""Data sets that need files -> number of classes and shape of an image; of folders, CIFAR-10's."""


def is_absent(settings: RunSettings) -> bool:
    """Tell whether the user has not said where the files of the data set are."""
    return settings.data_dir is None and settings.dataset in USUAL


def usual_step_ms(settings: RunSettings, code: Code) -> float:
    """Return the CPU time of a training step of the dense model on images of the usual shape."""
    n_classes, (channels, *sides) = USUAL[settings.dataset]
    size = settings.image_size
    shape = (channels, size, size) if size else (channels, *sides)
    net = code["model"].value if "model" in code else None
    architecture = Architecture(settings.model, settings.width, n_classes, shape, factory=net)
    step = training_step(architecture, settings.seed, settings.batch_size)
    return host_facts(step).reference_step_ms


def told(dataset: str) -> str:
    """Return in words what a dry run without the files of a data set says, and how to get them."""
    n_classes, shape = USUAL[dataset]
    layout = "train/CLASS/*.jpg (or .png) and test/CLASS/*.jpg"
    get = {
        "folder": f"put the images in DIR/{layout} and add --data-dir DIR",
        "fashion-mnist": "add --data-dir DIR, the folder of its four idx files, or "
        "--data-dir DIR --download",
    }.get(dataset, "add --data-dir DIR, or --data-dir DIR --download to get them")
    return (
        f"the data of {dataset} were not looked at, as there is no --data-dir; the times are for "
        f"{n_classes} classes and images of {'x'.join(map(str, shape))}. To check them too, and to "
        f"run: {get}"
    )
