"""The one way this project imports torchvision.

torchvision's wheel registers `nms` and `qnms` in a C++ library that links against CUDA. Beside
a CPU-only torch that library does not load, and `import torchvision` fails on the two operators
being unknown. Nothing here calls them: declaring them, without an implementation, is enough.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType

import torch

_MISSING_WITHOUT_CUDA = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_declared: list[torch.library.Library] = []  # a library's operators live as long as it does


@cache
def import_torchvision() -> ModuleType:
    """Import torchvision, about 2 s of CPU the first time, and return it.

    Raises:
        ImportError: torchvision is not installed, or does not fit the installed torch.
    """
    try:
        import torchvision
    except RuntimeError:  # operator torchvision::nms does not exist
        _declare_missing_operators()
        import torchvision
    module: ModuleType = torchvision
    return module


def _declare_missing_operators() -> None:
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for name, signature in _MISSING_WITHOUT_CUDA.items():
        if not hasattr(torch.ops.torchvision, name):
            library.define(name + signature)  # type: ignore[no-untyped-call]
    _declared.append(library)
