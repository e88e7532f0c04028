"""An experiment's folder made by hand: results.md, two figures, two cells, hostile labels."""

from __future__ import annotations

import json
from pathlib import Path

from hand_results import AXES, results

from prisam_p2p.experiment.cell_folder import cell_folders
from prisam_p2p.experiment.figure_values import values_of
from prisam_p2p.experiment.figures import write_figure
from prisam_p2p.experiment.output_specs import FigureSpec
from prisam_p2p.report.output import as_text

HOSTILE = "<img src=x onerror=alert(1)>"
MARKDOWN = f"""# trial

What {HOSTILE} does.

2 of 2 cells.

- failed: b: {HOSTILE}

### Gain

Mean over the seeds.

| method | accuracy |
| --- | ---: |
| PRISAM \\| {HOSTILE} | 0.978 |
| local | 0.901 |

### Accuracy over rounds

![Accuracy over rounds](figures/lines.png)

### Lost

![Lost](figures/lost.png)
"""


def experiment_folder(out: Path) -> Path:
    """Write the folder: cell a is done and has a report, cell b failed and has none."""
    figures = out / "figures"
    figures.mkdir(parents=True)
    (out / "results.md").write_text(MARKDOWN)
    spec = FigureSpec(
        name="lines",
        title="Accuracy over rounds",
        kind="over-rounds",
        measure="accuracy_deployed",
        lines="method",
        panels="split",
    )
    assert write_figure(spec, results(), AXES, figures)
    (figures / "lines.csv").write_text(as_text(values_of(spec, results(), AXES), "csv"))
    for name, exit_code in (("a", 0), ("b", 4)):
        cell = out / "cells" / name
        (cell / "run").mkdir(parents=True)
        record = {"labels": {"seed": 0, "method": name}, "ending": {"exit_code": exit_code}}
        (cell / "cell.json").write_text(json.dumps(record))
    done, _ = cell_folders(out)
    done.report.write_text("<!doctype html><title>a cell</title>")
    values = {"accuracy_deployed": 0.9784, "ari": None, "sent_mib": 1234.56, "duration_s": 7.25}
    done.measures.write_text(json.dumps({"values": values}))
    return out
