"""Where the topologies, device profiles and starter project that come with the package are.

A build puts these folders of the repository into the package (setup.py); in a checkout they are
beside it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

_PACKAGE = Path(str(files("prisam_p2p")))  # a folder: the package does not run from a zip file
_BUILT_IN = _PACKAGE / "shipped_files"

CODE_ROOT = _PACKAGE.parent
ROOT = _BUILT_IN if _BUILT_IN.is_dir() else CODE_ROOT
TOPOLOGIES = ROOT / "topologies"
DEFAULT_TOPOLOGY = TOPOLOGIES / "clusters-12.toml"
PEERS = ROOT / "peers"
STARTER = ROOT / "starter"


CHILD_PYTHON = (sys.executable, "-P")
"""Begins the command of a child process that runs this code; see `child_environment`."""


def child_environment() -> Mapping[str, str]:
    """Return an environment in which a child's `python -P` imports what this process can.

    Without -P (`CHILD_PYTHON`) it would also import from the working directory, which may hold
    a stranger's files, or a file of the user's that has the name of a library.
    """
    path = [*(each or os.getcwd() for each in sys.path), str(CODE_ROOT)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(path))}
