"""What the Ray actor on a host does, without Ray: it starts an agent, and tells of its end."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from prisam_p2p.hosts.engines.ray_actor import AgentKeeper

_TELLS = """
import json, os, sys
names = ("PYTHONPATH", "CUDA_VISIBLE_DEVICES")
print(json.dumps({each: os.environ.get(each) for each in names}), flush=True)
sys.stdin.read()
sys.exit("the input has ended")
"""


@pytest.fixture
def keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AgentKeeper]:
    """Return an actor on a host that has the module `tells`."""
    (tmp_path / "tells.py").write_text(_TELLS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    made = AgentKeeper()
    yield made
    made.end(10.0)


def test_an_agent_inherits_the_gpus_that_ray_gives(keeper: AgentKeeper) -> None:
    assert json.loads(keeper.start(["tells"], "/none", 2))["CUDA_VISIBLE_DEVICES"] == "3,5"


def test_an_agent_without_a_reserved_gpu_sees_none(keeper: AgentKeeper) -> None:
    assert json.loads(keeper.start(["tells"], "/none", 0))["CUDA_VISIBLE_DEVICES"] == ""


def test_the_launchers_code_goes_first_where_the_host_has_it(
    keeper: AgentKeeper, tmp_path: Path
) -> None:
    (tmp_path / "shared" / "prisam_p2p").mkdir(parents=True)
    path = json.loads(keeper.start(["tells"], str(tmp_path / "shared"), 0))["PYTHONPATH"]
    assert path == os.pathsep.join([str(tmp_path / "shared"), str(tmp_path)])


def test_code_that_the_host_has_not_is_left_out(keeper: AgentKeeper, tmp_path: Path) -> None:
    assert json.loads(keeper.start(["tells"], "/none", 0))["PYTHONPATH"] == str(tmp_path)


def test_the_end_of_its_input_ends_an_agent(keeper: AgentKeeper) -> None:
    keeper.start(["tells"], "/none", 0)
    keeper.end(10.0)
    assert keeper.wait() == (1, "the input has ended")


def test_a_host_without_the_module_says_so(keeper: AgentKeeper) -> None:
    assert keeper.start(["no_such_module"], "/none", 0) == ""
    code, last_lines = keeper.wait()
    assert (code, "No module named no_such_module" in last_lines) == (1, True)
