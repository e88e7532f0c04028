"""References to users' code: package.module:attribute, or ./file.py:attribute. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

_NAME = r"[^\W\d]\w*"
_DOTTED = re.compile(rf"{_NAME}(\.{_NAME})*")

TORCHVISION = "torchvision"
"""Before a colon it names torchvision's own models, as torchvision:resnet18."""


class CodeKind(StrEnum):
    """What users' code can stand for; the setting of the same name names it."""

    ALGORITHM = "algorithm"
    MODEL = "model"
    DATASET = "dataset"
    SPLIT = "split"
    GROUPING = "grouping"

    @property
    def group(self) -> str:
        """The group of entry points that packages install it under."""
        return f"prisam_p2p.{self.value}s"


@dataclass(frozen=True)
class Reference:
    """Where code is: a module by its import name or by its file, and an attribute of it.

    Attributes:
        module: dotted import name; "" for a file.
        file: the path as given; None for a module.
        attribute: dotted name inside the module.
    """

    module: str
    file: Path | None
    attribute: str


HOW = "package.module:attribute or ./file.py:attribute"
"""What a reference looks like, for errors."""


def parse(text: str) -> Reference | None:
    """Return the reference that `text` is, None where it is no reference but, say, a name.

    What stands before the last colon is a file if it ends in .py, else the name of a module.
    """
    place, colon, attribute = text.rpartition(":")
    if not colon or not _DOTTED.fullmatch(attribute) or place == TORCHVISION:
        return None
    if place.endswith(".py"):
        return Reference("", Path(place), attribute)
    return Reference(place, None, attribute) if _DOTTED.fullmatch(place) else None


def short_name(text: str) -> str:
    """Return a name for titles and folders: the attribute of a reference, any other text as it is.

    It has letters, digits, dots, underscores and hyphens only.
    """
    found = parse(text)
    return re.sub(r"[^\w.-]+", "-", found.attribute if found else text)
