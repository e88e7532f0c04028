"""Device profiles: what a class of real devices can compute, hold and send.

One TOML file per class in peers/; the file's name is the profile's.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from prisam_p2p.errors import ConfigError
from prisam_p2p.plan.toml_file import Misfit, near, read_toml, validate


class DeviceProfile(BaseModel):
    """A device's budgets. None is: unlimited, or not stated.

    The model's budgets (storage, MACs) decide the device's prune ratio rho; the others throttle
    the process that plays the device.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="The file's name without .toml; not a key of the file.")
    description: str = Field(min_length=1, description="The device, in a line.")
    source: str = Field(min_length=1, description="Where the figures come from; what is a guess.")

    speed: float = Field(
        1.0, gt=0, le=1, description="Speed of a training step, a share of a core of this host."
    )
    threads: int = Field(1, ge=1, le=1024, description="Threads that a training step uses.")
    memory_mib: int | None = Field(
        None, ge=1, description="MiB that a peer may use beyond what importing torch takes."
    )

    storage_mib: float | None = Field(None, gt=0, description="MiB of the stored model, at most.")
    storage_share: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Bytes of the stored model, at most, as a share of the dense one's.",
    )
    macs: int | None = Field(None, ge=1, description="MACs of one inference, at most.")
    macs_share: float | None = Field(
        None, gt=0, le=1, description="MACs, at most, as a share of the dense model's."
    )
    prune_ratio: float | None = Field(
        None, ge=0, lt=1, description="rho itself. [the smallest that fits the budgets]"
    )

    up_mbit_s: float | None = Field(None, gt=0, description="Mbit/s that the device can send.")
    down_mbit_s: float | None = Field(None, gt=0, description="Mbit/s that it can receive.")

    @model_validator(mode="after")
    def _one_budget_of_a_kind(self) -> Self:
        for absolute, share in (("storage_mib", "storage_share"), ("macs", "macs_share")):
            value = getattr(self, share)
            if value is not None and getattr(self, absolute) is not None:
                raise Misfit(share, value, f"either {share} or {absolute}, not both")
        return self


def list_profiles(folder: Path) -> list[str]:
    """Return the names of the profiles in `folder`, sorted."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def load_profile(
    name_or_path: str, folder: Path, named_in: tuple[str, str] | None = None
) -> DeviceProfile:
    """Return the profile of this name in `folder`, or the one in the file at this path.

    Args:
        named_in: file and key that name it, for the error where it is not there.

    Raises:
        ConfigError: there is no such profile (the nearest are named), or its file is wrong.
    """
    path = Path(name_or_path) if is_path(name_or_path) else folder / f"{name_or_path}.toml"
    if not is_path(name_or_path) and not path.exists():
        raise _unknown_profile(name_or_path, folder, named_in or (str(folder), ""))
    data = read_toml(path)
    if "name" in data:
        raise ConfigError(str(path), "name", data["name"], "no such key: the file's name is it")
    return validate({"name": path.stem, **data}, DeviceProfile, str(path))


def is_path(name_or_path: str) -> bool:
    """Tell a path (it ends in .toml, or has a separator in it) from a profile's name."""
    return name_or_path.endswith(".toml") or os.sep in name_or_path


def _unknown_profile(name: str, folder: Path, named_in: tuple[str, str]) -> ConfigError:
    names = list_profiles(folder)
    right = f"a device profile; {near(name, names)}" if names else "a folder with profiles"
    return ConfigError(*named_in, name, right)
