"""What `prisam sql` answers."""

from __future__ import annotations

from pathlib import Path

from prisam_p2p.report.database import select, select_to_parquet
from prisam_p2p.report.ledger import make_ledger
from prisam_p2p.report.output import as_text, give, needs_a_file
from prisam_p2p.report.run_folder import RunFolder
from prisam_p2p.report.tables import run_tables


def answer(run: RunFolder, query: str, output: str, out: Path | None) -> None:
    """Print, or write to `out`, the answer to a query over a run's tables (docs/sql.md).

    Raises:
        ConfigError: no run folder; not one SELECT, or a wrong one; Parquet and no file.
    """
    needs_a_file(output, out)
    tables = run_tables(run, make_ledger(run))
    if output == "parquet" and out is not None:
        select_to_parquet(tables, query, out)
    else:
        give(as_text(select(tables, query), output), out)
