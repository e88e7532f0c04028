"""Readers tell the phases of the timeline apart, on light and on dark, whatever colours they see.

Colour blindness is simulated as in Machado, Oliveira, Fernandes, "A physiologically-based model for
simulation of color vision deficiency", 2009, at full severity. Distances are those of OKLab
(Ottosson, 2020), times 100.
"""

import re
from itertools import combinations

import numpy as np
import pytest

from prisam_p2p.page.assembly import ASSETS
from prisam_p2p.page.palette import PHASES

VISION = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
LMS = [
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
]
OKLAB = [
    [0.2104542553, 0.7936177850, -0.0040720468],
    [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
]
LEAST_DISTANCE = 6
LEAST_CONTRAST = 1.95  # more would leave too little room for so many colours


def linear(colour):
    """Return the linear RGB of `#rrggbb`."""
    each = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(each <= 0.04045, each / 12.92, ((each + 0.055) / 1.055) ** 2.4)


def oklab(colour, vision):
    seen = np.clip(np.array(vision) @ linear(colour), 0, 1)
    return 100 * np.array(OKLAB) @ np.cbrt(np.array(LMS) @ seen)


def contrast(one, other):
    """Return the ratio of contrast by WCAG."""
    light = [np.array([0.2126, 0.7152, 0.0722]) @ linear(each) + 0.05 for each in (one, other)]
    return max(light) / min(light)


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_any_two_phases_are_told_apart_by_colour(theme, vision):
    seen = {colours[theme]: oklab(colours[theme], VISION[vision]) for colours in PHASES.values()}
    assert len(seen) == len(PHASES) - 4  # the five kinds of waiting share one
    near = {
        pair: round(float(np.linalg.norm(seen[pair[0]] - seen[pair[1]])), 1)
        for pair in combinations(seen, 2)
    }
    assert {pair: far for pair, far in near.items() if far < LEAST_DISTANCE} == {}


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_phases_stand_out_from_the_ground(theme):
    ground = re.findall(r"--surface: (#\w{6});", (ASSETS / "page.css").read_text())[theme]
    faint = {name: contrast(colours[theme], ground) for name, colours in PHASES.items()}
    assert {name: ratio for name, ratio in faint.items() if ratio < LEAST_CONTRAST} == {}


def test_distances_are_those_of_oklab():
    """Black and white are 100 apart; red and green come near each other without red cones."""
    black, white = (oklab(each, VISION["normal"]) for each in ("#000000", "#FFFFFF"))
    assert np.linalg.norm(white - black) == pytest.approx(100, abs=0.01)
    far, near = (
        np.linalg.norm(oklab("#D00000", VISION[each]) - oklab("#507000", VISION[each]))
        for each in ("normal", "protanopia")
    )
    assert near < far / 2
