"""Tables as Python has them: rows, or a data frame of pandas or polars, and HTML for notebooks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from prisam_p2p.python_api.html import table_html
from prisam_p2p.report.run_tables import Table

if TYPE_CHECKING:
    import pandas
    import polars

_WHOLE_NUMBERS = ("BIGINT", "INTEGER", "HUGEINT", "SMALLINT", "TINYINT")


@dataclass(frozen=True, repr=False)
class ResultTable:
    """A table of results.

    Attributes:
        columns: name -> SQL type (DuckDB's).
        values: a value of each column for each row; a dict or list where the SQL type is JSON.
    """

    columns: Mapping[str, str]
    values: Sequence[Sequence[Any]]

    @classmethod
    def of(cls, table: Table) -> ResultTable:
        """Return a table of a report."""
        return cls(table.columns, table.rows)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows, each as column -> value."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.values]

    def to_pandas(self) -> pandas.DataFrame:
        """Return a pandas.DataFrame. A column of integers that lacks some has the type Int64.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        frame = _needed("pandas").DataFrame(self._of_columns())
        for name, kind in self.columns.items():
            if kind in _WHOLE_NUMBERS and frame[name].isna().any():
                frame[name] = frame[name].astype("Int64")  # else integers become floats
        return frame

    def to_polars(self) -> polars.DataFrame:
        """Return a polars.DataFrame.

        Raises:
            ModuleNotFoundError: polars is not installed.
        """
        columns = self._of_columns()
        frame: polars.DataFrame = _needed("polars").DataFrame(columns, infer_schema_length=None)
        return frame

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    def __repr__(self) -> str:
        from prisam_p2p.report.output import as_text  # late: rich takes a while

        return as_text(Table("", self.columns, self.values), "table").rstrip("\n")

    def _repr_html_(self) -> str:
        return table_html(list(self.columns), self.values)

    def _of_columns(self) -> dict[str, list[Any]]:
        return {name: [row[i] for row in self.values] for i, name in enumerate(self.columns)}


def _needed(library: str) -> Any:
    try:
        return import_module(library)
    except ModuleNotFoundError as error:
        if error.name != library:
            raise
        told = f"to_{library}() needs {library}, which is not installed: pip install {library}"
        raise ModuleNotFoundError(told, name=library) from None
