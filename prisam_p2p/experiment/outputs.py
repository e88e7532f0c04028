"""What is to come out of an experiment: its tables and figures, as its file names them.

Pure: no I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from prisam_p2p.experiment.catalog import BETWEEN_METHODS, CATALOG, SEED, of_rounds
from prisam_p2p.plan.toml_file import MISSING, Misfit, near

Label = str | int | float
"""How a value of an axis is called."""

FileName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]

ROUND = "round"
"""The axis that a table or a figure over rounds has besides."""


class Relation(StrEnum):
    """How a value stands to the one it is set against."""

    DIFFERENCE = "difference"
    RATIO = "ratio"


class Kind(StrEnum):
    """The kinds of figures."""

    OVER_ROUNDS = "over-rounds"
    OVER_BYTES = "over-bytes"
    AGAINST = "against"
    BARS = "bars"
    COST = "cost"
    MASK_SIMILARITY = "mask-similarity"
    MASK_PCA = "mask-pca"


# Keys that a kind of figure needs, and those that it may have besides.
_KEYS: dict[Kind, tuple[set[str], set[str]]] = {
    Kind.OVER_ROUNDS: ({"measure", "lines"}, {"panels"}),
    Kind.OVER_BYTES: ({"measure", "lines"}, {"panels"}),
    Kind.AGAINST: ({"measure", "x"}, {"lines", "panels", "x_label"}),
    Kind.BARS: ({"measure", "x"}, {"lines", "panels", "x_label"}),
    Kind.COST: ({"x"}, {"x_label"}),
    Kind.MASK_SIMILARITY: (set(), {ROUND}),
    Kind.MASK_PCA: (set(), {ROUND}),
}
_OPTIONAL = ("measure", "x", "x_label", "lines", "panels", ROUND)


class Output(BaseModel):
    """What tables and figures have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: FileName = Field(description="Of its files, without an ending.")
    title: str = Field(min_length=1, description="In a line, for people.")
    where: dict[str, Label | list[Label]] = Field(
        {}, description="Axis -> the label, or labels, that it is confined to."
    )

    @property
    def axes(self) -> list[str]:
        """The axes that it is spread out over."""
        return []

    def pinned(self) -> set[str]:
        """Return the axes that are confined to one label."""
        return {axis for axis, label in self.where.items() if not isinstance(label, list)}

    def admits(self, axis: str, label: Label | None) -> bool:
        """Tell whether `where` lets a cell with this label in; None: it has no part in the axis."""
        wanted = self.where.get(axis)
        if wanted is None or label is None:
            return True
        return label in (wanted if isinstance(wanted, list) else [wanted])


class TableSpec(Output):
    """A table: a row for each combination of labels of `rows`, a column for each of `columns`."""

    measures: list[str] = Field(min_length=1, description="What is shown, one table below another.")
    rows: list[str] = Field(min_length=1, description="Axes.")
    columns: str | None = Field(None, description="An axis; without one, the measures are.")
    rounds: list[Annotated[int, Field(ge=0)]] | None = Field(
        None, description="After these rounds; there is an axis round then. [at the end]"
    )
    against: dict[str, Label] = Field(
        {}, description="Show each value against that of this label, seed by seed."
    )
    relation: Relation = Field(Relation.DIFFERENCE, description="How it stands to that one.")

    @property
    def axes(self) -> list[str]:
        """See Output."""
        return [*self.rows, *([self.columns] if self.columns else [])]

    @model_validator(mode="after")
    def _known(self) -> Self:
        for measure in self.measures:
            _check_measure("measures", measure, by_round=self.rounds is not None)
        if (ROUND in self.axes) != (self.rounds is not None):
            raise Misfit("rounds", self.rounds, "a list of rounds, and round among rows or columns")
        return self


class FigureSpec(Output):
    """A figure."""

    kind: Kind
    measure: str | None = Field(None, description="What is shown.")
    x: str | None = Field(None, description="An axis: its labels from left to right.")
    x_label: str | None = Field(None, description="What the x axis is, with its unit. [x]")
    lines: str | None = Field(None, description="An axis: a line, or a bar, for each label.")
    panels: str | None = Field(None, description="An axis: a panel for each label.")
    round: int | None = Field(None, ge=0, description="Whose masks are shown. [the last]")

    @property
    def axes(self) -> list[str]:
        """See Output."""
        return [axis for axis in (self.x, self.lines, self.panels) if axis]

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        needed, possible = _KEYS[self.kind]
        for key in _OPTIONAL:
            value = getattr(self, key)
            if value is None and key in needed:
                raise Misfit(key, MISSING, f"a value: a figure {self.kind.value} needs one")
            if value is not None and key not in needed | possible:
                right = f"no such key in a figure {self.kind.value}"
                raise Misfit(key, value, right)
        over = self.kind in (Kind.OVER_ROUNDS, Kind.OVER_BYTES)
        if self.measure is not None:
            _check_measure("measure", self.measure, by_round=over)
        return self


def check_axes(output: Output, sizes: dict[str, int], place: str) -> None:
    """Refuse an output that leaves open which cells a number is made of.

    Args:
        sizes: axis -> how many values it has.
        place: of the output in its file.

    Raises:
        Misfit: an axis is unknown; or has several values and is neither spread out nor confined.
    """
    rounds = {ROUND} if isinstance(output, TableSpec) else set()
    pinned = [*output.where, *getattr(output, "against", {})]
    for axis in [*(a for a in output.axes if a not in rounds), *pinned]:
        if axis not in sizes:
            raise Misfit(place, axis, f"an axis; {near(axis, sizes)}")
    summed_up = {SEED} if _is_summed_up(output) else set()
    for axis, size in sizes.items():
        if size > 1 and axis not in {*output.axes, *output.pinned(), *summed_up}:
            right = f"one value in where.{axis}, or {axis} as an axis of it"
            raise Misfit(f"{place}.where", MISSING, right)


def _is_summed_up(output: Output) -> bool:
    return not (
        isinstance(output, FigureSpec) and output.kind in (Kind.MASK_SIMILARITY, Kind.MASK_PCA)
    )


def _check_measure(key: str, measure: str, by_round: bool) -> None:
    known: Sequence[str] = of_rounds() if by_round else list(CATALOG)
    if measure not in known:
        of = "a measure of rounds" if by_round else "a measure"
        raise Misfit(key, measure, f"{of}; {near(measure, known)}")


def needs_methods(output: TableSpec | FigureSpec) -> bool:
    """Tell whether it shows a measure that compares methods."""
    shown = output.measures if isinstance(output, TableSpec) else [output.measure]
    return any(measure in BETWEEN_METHODS for measure in shown)
