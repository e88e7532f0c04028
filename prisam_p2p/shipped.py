"""Paths of the topologies and device profiles in the repository."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent.parent
TOPOLOGIES = ROOT / "topologies"
DEFAULT_TOPOLOGY = TOPOLOGIES / "clusters-12.toml"
PEERS = ROOT / "peers"
