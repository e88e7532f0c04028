"""Numbers as the cells of a printed table."""

from __future__ import annotations


def figure(value: float | None) -> str:
    """Return an accuracy, "-" for none."""
    return "-" if value is None else f"{value:.3f}"


def gain(value: float | None, beside: float | None) -> str:
    """Return the difference of two accuracies, "-" if one is missing."""
    return "-" if value is None or beside is None else f"{value - beside:+.3f}"


def mib(n_bytes: float) -> str:
    """Return bytes in MiB."""
    return f"{n_bytes / 2**20:.2f}"


def share(part: int | None, whole: int) -> str:
    """Return a count, and its share of `whole`; "-" for none."""
    return "-" if part is None else f"{part:,} {part / whole:.0%}"


def rand_index(value: float | None) -> str:
    """Return an adjusted Rand index, "-" for none."""
    return "-" if value is None else f"{value:.2f}"


def count_of_bytes(n_bytes: int) -> str:
    """Return bytes, exactly."""
    return f"{n_bytes:,} B"
