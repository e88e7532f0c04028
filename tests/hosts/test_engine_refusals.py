"""What is told where there is no Ray, no cluster, no Slurm or no allocation."""

from __future__ import annotations

from pathlib import Path

import pytest

from prisam_p2p.errors import ConfigError
from prisam_p2p.hosts.engines import ray_engine
from prisam_p2p.hosts.engines.ray_engine import RayEngine
from prisam_p2p.hosts.engines.slurm_engine import SlurmEngine


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_engine, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"--on = 'ray'.*pip install 'prisam-p2p\[ray\]'"):
        RayEngine()


@pytest.mark.parametrize("address", ["ray://head:10001", "local", "head", "http://head:8265"])
def test_an_address_that_no_driver_can_join_is_refused(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    monkeypatch.setattr(ray_engine, "find_spec", lambda name: name)
    with pytest.raises(ConfigError, match=r"RAY_ADDRESS = .*HOST:PORT"):
        RayEngine()


def test_a_cluster_that_is_not_there_is_named_with_what_starts_one() -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    engine = RayEngine("127.0.0.1:1")
    with pytest.raises(ConfigError, match=r"127\.0\.0\.1:1.*refused.*ray start --head"):
        engine.offers()
    engine.close()


def test_outside_an_allocation_it_shows_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _commands(tmp_path, monkeypatch)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    with pytest.raises(ConfigError, match=r"SLURM_JOB_ID.*sbatch examples/prisam\.sbatch"):
        SlurmEngine()


def test_without_slurms_commands_it_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigError, match="scontrol, sinfo, srun not found in PATH"):
        SlurmEngine()


def test_a_command_of_slurms_that_fails_is_named_with_what_it_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _commands(tmp_path, monkeypatch)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    with pytest.raises(ConfigError, match="`scontrol show job -d -o 7` works: no controller"):
        SlurmEngine().offers()


def _commands(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put commands of Slurm's into PATH that all fail."""
    for name in ("scontrol", "sinfo", "srun"):
        (folder / name).write_text("#!/bin/sh\necho no controller >&2\nexit 1\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
