"""Import torchvision, also with a torch build without CUDA.

torchvision's wheel registers the operators `nms` and `qnms` in a C++ library that links against
CUDA. With a CPU-only torch that library does not load, and `import torchvision` fails because the
operators are unknown. This project never calls them, so declaring them is enough.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType

import torch

_MISSING_WITHOUT_CUDA = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_declared: list[torch.library.Library] = []  # operators exist as long as their Library object


@cache
def import_torchvision() -> ModuleType:
    """Import torchvision and return it; the first time takes about 2 s of CPU time.

    Raises:
        ImportError: torchvision is not installed, or does not match the installed torch.
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
