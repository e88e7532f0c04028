"""PRISAM on real processes: an emulator of personalized decentralized federated learning.

From Python (docs/python.md):

    import prisam_p2p as pp

    run = pp.launch("ring-8", rounds=3, progress=True)
    run.summary.accuracy.deployed

What users' own code is written against is in `prisam_p2p.api`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prisam_p2p.errors import CheckFailed as CheckFailed
    from prisam_p2p.errors import ConfigError as ConfigError
    from prisam_p2p.errors import DoesNotFit as DoesNotFit
    from prisam_p2p.errors import LaunchError as LaunchError
    from prisam_p2p.errors import PrisamError as PrisamError
    from prisam_p2p.errors import ResourceError as ResourceError
    from prisam_p2p.errors import Undecided as Undecided
    from prisam_p2p.python_api.comparing import compare as compare
    from prisam_p2p.python_api.launching import BrokenRule as BrokenRule
    from prisam_p2p.python_api.launching import launch as launch
    from prisam_p2p.python_api.network_of_graph import topology as topology
    from prisam_p2p.python_api.run import Run as Run
    from prisam_p2p.python_api.run import load_run as load_run

__version__ = "0.1.0"

_MODULES = {
    "errors": (
        "CheckFailed",
        "ConfigError",
        "DoesNotFit",
        "LaunchError",
        "PrisamError",
        "ResourceError",
        "Undecided",
    ),
    "python_api.comparing": ("compare",),
    "python_api.launching": ("BrokenRule", "launch"),
    "python_api.network_of_graph": ("topology",),
    "python_api.run": ("Run", "load_run"),
}
_OFFERED = {name: module for module, names in _MODULES.items() for name in names}
"""Name -> its module, which is imported when the name is first used."""


class _Package(ModuleType):
    """This package, whose `launch` stays the function when the room of that name is imported."""

    def __getattr__(self, name: str) -> Any:
        if name not in _OFFERED:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        from prisam_p2p.python_api.callers_signals import callers_signals

        with callers_signals():  # libraries written in C lose a KeyboardInterrupt, or change it
            module = import_module(f"{__name__}.{_OFFERED[name]}")
        return getattr(module, name)

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _OFFERED and isinstance(value, ModuleType)):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *_OFFERED})


sys.modules[__name__].__class__ = _Package
