"""Measure the size and the time of the three codings of a mask, on one core.

Masks have as many bits as VGG-11's and a seeded random set of ones; changes flip random bits, half
of them ones. Deflate is zlib's level 9 without a header, of the packed flips or mask. Usage:

    python benchmarks/mask_coding.py --repeats 30
"""

from __future__ import annotations

import platform
import statistics
import time
import zlib
from collections.abc import Callable

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from prisam_p2p.core.bits import pack_bits
from prisam_p2p.core.layout import Mask
from prisam_p2p.wire.mask_coding import decode_mask, encode_mask

N_BITS = 2752
FLIPS = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256)
DENSITIES = (0.1, 0.3, 0.5, 0.7)
COLUMNS = ("mask", "coding", "bytes", "deflate", "encode ms", "quartiles", "decode ms", "quartiles")


def random_mask(rng: np.random.Generator, density: float) -> Mask:
    """Return a mask of N_BITS bits, round(density * N_BITS) of them ones."""
    mask = np.zeros(N_BITS, np.bool_)
    mask[rng.permutation(N_BITS)[: round(density * N_BITS)]] = True
    return mask


def flipped(rng: np.random.Generator, mask: Mask, flips: int) -> Mask:
    """Return `mask` with flips // 2 of its ones cleared and the other flips set."""
    changed = mask.copy()
    changed[rng.permutation(np.flatnonzero(mask))[: flips // 2]] = False
    changed[rng.permutation(np.flatnonzero(~mask))[: flips - flips // 2]] = True
    return changed


def deflated(mask: Mask) -> int:
    """Return the length in bytes of the packed bits, compressed by deflate."""
    deflate = zlib.compressobj(9, wbits=-15)
    return len(deflate.compress(pack_bits(mask)) + deflate.flush())


def times(call: Callable[[], object], repeats: int) -> tuple[str, str]:
    """Return the median and the quartiles of a call's duration in milliseconds."""
    taken = []
    for _ in range(repeats):
        begun = time.perf_counter()
        call()
        taken.append((time.perf_counter() - begun) * 1e3)
    lower, median, upper = statistics.quantiles(taken, n=4)
    return f"{median:.2f}", f"{lower:.2f}-{upper:.2f}"


def row(name: str, mask: Mask, base: Mask | None, repeats: int) -> tuple[str, ...]:
    """Return the table cells of one mask."""
    coding, payload = encode_mask(mask, base)
    encode = times(lambda: encode_mask(mask, base), repeats)
    decode = times(lambda: decode_mask(coding, payload, mask.size, base), repeats)
    rival = deflated(mask if base is None else mask ^ base)
    return (name, coding.name, str(len(payload)), str(rival), *encode, *decode)


@click.command()
@click.option("--repeats", default=30, show_default=True, type=click.IntRange(2), help="Calls.")
def main(repeats: int) -> None:
    """Print bytes and times of whole masks, and of changes to a mask of density 0.5."""
    rng = np.random.default_rng(0)
    table = Table()
    for column in COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    for density in DENSITIES:
        table.add_row(*row(f"density {density}", random_mask(rng, density), None, repeats))
    base = random_mask(rng, 0.5)
    for flips in FLIPS:
        table.add_row(*row(f"{flips} flips", flipped(rng, base, flips), base, repeats))
    click.echo(f"{N_BITS} bits, {repeats} calls, Python {platform.python_version()}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
