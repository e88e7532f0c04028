"""Device profiles: what a class of real devices can compute, store and send.

Each class is a TOML file in peers/, named like the profile. Its budgets decide the prune ratio.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from prisam_p2p.core.budget import GRID, Budget, Cost, smallest_ratio
from prisam_p2p.errors import ConfigError
from prisam_p2p.plan.named_files import PROFILE_FILES, NamedFiles
from prisam_p2p.plan.toml_file import Misfit, read_toml, validate

MIB = 2**20


class DeviceProfile(BaseModel):
    """A device's budgets. None means unlimited, or not given.

    The model's budgets (storage, MACs) decide the device's prune ratio rho; the others throttle
    the process that emulates the device.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="Name of the file without .toml; not a key of the file.")
    description: str = Field(min_length=1, description="The device, in one line.")
    source: str = Field(min_length=1, description="Where the figures are from; which are guesses.")

    speed: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Speed of training, as a share of one core of this host.",
    )
    threads: int = Field(1, ge=1, le=1024, description="Threads that a training step uses.")
    gpu: float | None = Field(
        None,
        gt=0,
        le=64,
        description="GPUs that a peer takes of a host: a share of one (0.25), or a whole number.",
    )
    memory_mib: int | None = Field(
        None, ge=1, description="MiB that a peer may use in addition to what importing torch takes."
    )

    storage_mib: float | None = Field(None, gt=0, description="Largest stored model, in MiB.")
    storage_share: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Largest stored model, as a share of the dense model's bytes.",
    )
    macs: int | None = Field(None, ge=1, description="Most MACs of one inference.")
    macs_share: float | None = Field(
        None, gt=0, le=1, description="Most MACs of one inference, as a share of the dense model's."
    )
    prune_ratio: float | None = Field(
        None, ge=0, lt=1, description="rho itself, in place of the smallest that fits the budgets."
    )

    up_mbit_s: float | None = Field(None, gt=0, description="Mbit/s that the device sends at most.")
    down_mbit_s: float | None = Field(None, gt=0, description="Mbit/s that it receives at most.")

    @model_validator(mode="after")
    def _share_or_whole_gpus(self) -> Self:
        if self.gpu is not None and self.gpu > 1 and self.gpu % 1:
            raise Misfit("gpu", self.gpu, "a share of one GPU, up to 1, or a whole number of GPUs")
        return self

    @model_validator(mode="after")
    def _one_budget_of_a_kind(self) -> Self:
        for absolute, share in (("storage_mib", "storage_share"), ("macs", "macs_share")):
            value = getattr(self, share)
            if value is not None and getattr(self, absolute) is not None:
                raise Misfit(share, value, f"either {share} or {absolute}, not both")
        return self

    def budget(self, dense: Cost) -> Budget:
        """Return the limits of a model on this device; shares are of `dense`."""
        n_bytes: float | None = None
        if self.storage_mib is not None:
            n_bytes = self.storage_mib * MIB
        elif self.storage_share is not None:
            n_bytes = self.storage_share * dense.n_bytes
        share = self.macs_share
        return Budget(n_bytes, share * dense.macs if share is not None else self.macs)


def device_prune_ratio(
    profile: DeviceProfile, asked: float | None, cost_at: Callable[[float], Cost]
) -> tuple[float, float]:
    """Return the least prune ratio that fits the device's budgets, and the one that it gets.

    Args:
        asked: --prune-ratio; it wins over the profile's own ratio, which wins over the least.
        cost_at: prune ratio -> cost of the slim model.

    Raises:
        ConfigError: no ratio fits the budgets, or the one asked for is too low.
    """
    budget = profile.budget(cost_at(0.0))
    least = smallest_ratio(budget, cost_at)
    if least is None:
        smallest = cost_at(GRID[-1])
        right = (
            f"a budget that the model pruned by {GRID[-1]} fits "
            f"({smallest.n_bytes / MIB:.3f} MiB, {smallest.macs} MACs)"
        )
        raise ConfigError(f"device profile {profile.name}", "storage, macs", budget, right)
    if asked is not None:
        where, key, ratio = "--prune-ratio", "", asked
    elif profile.prune_ratio is not None:
        where, key, ratio = f"device profile {profile.name}", "prune_ratio", profile.prune_ratio
    else:
        return least, least
    if not budget.fits(cost_at(ratio)):
        raise ConfigError(where, key, ratio, f"at least {least} to fit {profile.name}'s budget")
    return least, ratio


def load_profile(
    name_or_path: str,
    named_in: tuple[str, str] = ("device profile", ""),
    profiles: NamedFiles = PROFILE_FILES,
) -> DeviceProfile:
    """Return the profile of this name among `profiles`, or the one in the file at this path.

    Args:
        named_in: file and key that name the profile, for the error if there is none.

    Raises:
        ConfigError: there is no such profile (the error names the nearest), or its file is wrong.
    """
    by_path = is_path(name_or_path)
    path = Path(name_or_path) if by_path else profiles.named(name_or_path, *named_in)
    data = read_toml(path)
    if "name" in data:
        right = "no such key: the profile is named like its file"
        raise ConfigError(str(path), "name", data["name"], right)
    return validate({"name": path.stem, **data}, DeviceProfile, str(path))


def is_path(name_or_path: str) -> bool:
    """Tell whether it is a path (ends in .toml, or contains a separator) and not a name."""
    return name_or_path.endswith(".toml") or os.sep in name_or_path
