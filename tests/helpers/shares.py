"""The order of tests that lets each worker of pytest-xdist begin with long modules.

`--dist worksteal` cuts the tests into as many contiguous shares as there are workers, and who is
done takes the tail of the longest queue. So each share begins with its part of the long modules
and ends with quick tests: these are what is taken first, and seldom half a long module, whose
set-up would then be done twice.
"""

from collections.abc import Mapping, Sequence


def longest_first(
    modules: Mapping[str, int], seconds: Mapping[str, float], workers: int
) -> list[str]:
    """Order modules so that the long ones are at the beginning of the workers' shares.

    A share's last module may reach into the next one, which then begins with less than a module.

    Args:
        modules: module -> number of its tests, in the order they were found.
        seconds: long module -> about how long it takes.
    """
    heads: list[list[str]] = [[] for _ in range(workers)]
    for name in sorted(seconds, key=lambda name: -seconds[name]):
        min(heads, key=lambda head: sum(seconds[x] for x in head)).append(name)
    quick = [name for name in modules if name not in seconds]
    ordered: list[str] = []
    for head, ends in zip(heads, _ends(sum(modules.values()), workers), strict=True):
        ordered += head
        while quick and sum(modules[name] for name in ordered) < ends:
            ordered.append(quick.pop(0))
    return ordered + quick


def _ends(tests: int, workers: int) -> Sequence[int]:
    """Return where each worker's share ends, as the scheduler cuts them."""
    ends = [0]
    for left in range(workers, 0, -1):
        ends.append(ends[-1] + (tests - ends[-1]) // left)
    return ends[1:]
