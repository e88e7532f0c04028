"""tshark sees the same bytes on every link as the ledger says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.network

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "witness.py"
CANNOT_CAPTURE = 2


def test_an_independent_witness_agrees_to_the_byte():
    command = [sys.executable, str(SCRIPT), "--rounds", "2", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode == CANNOT_CAPTURE:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    links = json.loads(done.stdout)["links"]
    assert len(links) == 12
    assert all(link["ledger"] == link["tshark"] > 100_000 for link in links), links
