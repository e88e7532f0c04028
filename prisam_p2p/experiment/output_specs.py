"""The specifications of tables and figures in an experiment's file, and their checks.

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
"""The name of an axis's value."""

FileName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]

ROUND = "round"
"""The additional axis of a table or a figure over rounds."""


class Relation(StrEnum):
    """How a value is compared with its reference."""

    DIFFERENCE = "difference"
    RATIO = "ratio"


class FigureKind(StrEnum):
    """The kinds of figures."""

    OVER_ROUNDS = "over-rounds"
    OVER_BYTES = "over-bytes"
    SCATTER = "scatter"
    AGAINST = "against"
    BARS = "bars"
    COST = "cost"
    MASK_SIMILARITY = "mask-similarity"
    MASK_PCA = "mask-pca"


# The keys that a kind of figure needs, and those that are optional.
_KEYS: dict[FigureKind, tuple[set[str], set[str]]] = {
    FigureKind.OVER_ROUNDS: ({"measure", "lines"}, {"panels"}),
    FigureKind.OVER_BYTES: ({"measure", "lines"}, {"panels"}),
    FigureKind.SCATTER: ({"measure", "x_measure", "lines"}, {"panels"}),
    FigureKind.AGAINST: ({"measure", "x"}, {"lines", "panels", "x_label"}),
    FigureKind.BARS: ({"measure", "x"}, {"lines", "panels", "x_label"}),
    FigureKind.COST: ({"x"}, {"x_label"}),
    FigureKind.MASK_SIMILARITY: (set(), {ROUND}),
    FigureKind.MASK_PCA: (set(), {ROUND}),
}
_OPTIONAL = ("measure", "x_measure", "x", "x_label", "lines", "panels", ROUND)


class Output(BaseModel):
    """The common part of tables and figures."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: FileName = Field(description="Name of its files, without an ending.")
    title: str = Field(min_length=1, description="Title, one line.")
    where: dict[str, Label | list[Label]] = Field(
        {}, description="Axis -> label or labels; other cells are not used."
    )

    @property
    def axes(self) -> list[str]:
        """The axes whose labels are shown separately."""
        return []

    def pinned(self) -> set[str]:
        """Return the axes that `where` confines to one label."""
        return {axis for axis, label in self.where.items() if not isinstance(label, list)}

    def admits(self, axis: str, label: Label | None) -> bool:
        """Tell whether `where` admits a cell with this label; None = the axis does not apply."""
        wanted = self.where.get(axis)
        if wanted is None or label is None:
            return True
        return label in (wanted if isinstance(wanted, list) else [wanted])


class TableSpec(Output):
    """A table: a row for each combination of labels of `rows`, a column for each of `columns`."""

    measures: list[str] = Field(min_length=1, description="Measures to show.")
    rows: list[str] = Field(min_length=1, description="Axes whose combinations are the rows.")
    columns: str | None = Field(
        None, description="The axis whose labels are the columns. [measures are the columns]"
    )
    rounds: list[Annotated[int, Field(ge=0)]] | None = Field(
        None, description="Show the values after these rounds, as an axis round. [at the end]"
    )
    against: dict[str, Label] = Field(
        {}, description="Axis -> label of the reference: compare each value with it, by seed."
    )
    relation: Relation = Field(
        Relation.DIFFERENCE, description="Show differences or ratios to the reference."
    )

    @property
    def axes(self) -> list[str]:
        """See Output."""
        return [*self.rows, *([self.columns] if self.columns else [])]

    @model_validator(mode="after")
    def _known(self) -> Self:
        for measure in self.measures:
            _check_measure("measures", measure, by_round=self.rounds is not None)
        if (ROUND in self.axes) != (self.rounds is not None):
            raise Misfit("rounds", self.rounds, "a list of rounds, with round in rows or columns")
        return self


class FigureSpec(Output):
    """A figure; its kind determines which of the keys it has."""

    kind: FigureKind
    measure: str | None = Field(None, description="The measure to show.")
    x_measure: str | None = Field(None, description="The measure on the x axis.")
    x: str | None = Field(None, description="The axis whose labels are on the x axis.")
    x_label: str | None = Field(None, description="Title of the x axis, with its unit. [x]")
    lines: str | None = Field(None, description="The axis with a line, or a bar, per label.")
    panels: str | None = Field(None, description="The axis with a panel per label.")
    round: int | None = Field(None, ge=0, description="The round of the masks. [the last]")

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
                raise Misfit(key, MISSING, f"a value, which a figure {self.kind.value} needs")
            if value is not None and key not in needed | possible:
                right = f"no such key for a figure {self.kind.value}"
                raise Misfit(key, value, right)
        over = self.kind in (FigureKind.OVER_ROUNDS, FigureKind.OVER_BYTES)
        if self.measure is not None:
            _check_measure("measure", self.measure, by_round=over)
        if self.x_measure is not None:
            _check_measure("x_measure", self.x_measure, by_round=False)
        return self


def check_axes(output: Output, sizes: dict[str, int], place: str) -> None:
    """Check that it is defined which cells each number of an output is made of.

    Args:
        sizes: axis -> number of its values.
        place: of the output in its file, for errors.

    Raises:
        Misfit: an axis is unknown; or it has several values, is not shown, and is not confined to
            one of them.
    """
    rounds = {ROUND} if isinstance(output, TableSpec) else set()
    pinned = [*output.where, *getattr(output, "against", {})]
    for axis in [*(a for a in output.axes if a not in rounds), *pinned]:
        if axis not in sizes:
            raise Misfit(place, axis, f"an axis; {near(axis, sizes)}")
    averaged = {SEED} if _averages_seeds(output) else set()
    for axis, size in sizes.items():
        if size > 1 and axis not in {*output.axes, *output.pinned(), *averaged}:
            right = f"one label in where.{axis}, or {axis} among the axes that are shown"
            raise Misfit(f"{place}.where", MISSING, right)


def _averages_seeds(output: Output) -> bool:
    return not (
        isinstance(output, FigureSpec)
        and output.kind in (FigureKind.MASK_SIMILARITY, FigureKind.MASK_PCA)
    )


def _check_measure(key: str, measure: str, by_round: bool) -> None:
    known: Sequence[str] = of_rounds() if by_round else list(CATALOG)
    if measure not in known:
        of = "a measure of rounds" if by_round else "a measure"
        raise Misfit(key, measure, f"{of}; {near(measure, known)}")


def needs_methods(output: TableSpec | FigureSpec) -> bool:
    """Tell whether `output` shows a measure that compares methods."""
    if isinstance(output, TableSpec):
        shown: Sequence[str | None] = output.measures
    else:
        shown = (output.measure, output.x_measure)
    return any(measure in BETWEEN_METHODS for measure in shown)
