"""Where the topologies, device profiles and starter project that come with the package are.

A build puts these folders of the repository into the package (setup.py); in a checkout they are
beside it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

_PACKAGE = Path(str(files("prisam_p2p")))  # a folder: the package does not run from a zip file
_BUILT_IN = _PACKAGE / "shipped_files"

CODE_ROOT = _PACKAGE.parent
"""The folder to put on a child's PYTHONPATH, so that it runs this code."""
ROOT = _BUILT_IN if _BUILT_IN.is_dir() else CODE_ROOT
TOPOLOGIES = ROOT / "topologies"
DEFAULT_TOPOLOGY = TOPOLOGIES / "clusters-12.toml"
PEERS = ROOT / "peers"
STARTER = ROOT / "starter"


def child_environment() -> Mapping[str, str]:
    """Return this environment, with a PYTHONPATH by which a child process runs this code."""
    others = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([str(CODE_ROOT), *([others] if others else [])])
    return {**os.environ, "PYTHONPATH": path}
