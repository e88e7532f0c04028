"""results.html: what results.md says, the figures, and every cell."""

import base64
import csv
import re

import pytest
from hand_experiment import HOSTILE, experiment_folder
from hand_results import AXES, results

from prisam_p2p.errors import ConfigError
from prisam_p2p.experiment.figure_values import values_of
from prisam_p2p.experiment.output_specs import FigureSpec
from prisam_p2p.experiment.results_page import write_results_page


@pytest.fixture
def out(tmp_path):
    return experiment_folder(tmp_path / "results" / "trial")


def test_the_page_has_the_tables_and_the_words_of_results_md(out):
    text = write_results_page(out).read_text()
    assert "<h1>trial</h1>" in text
    assert re.findall("<h2>(.*?)</h2>", text) == [
        "Gain",
        "Accuracy over rounds",
        "Lost",
        "Every cell",
    ]
    assert '<td>local</td><td class="number">0.901</td>' in text
    assert "<p>2 of 2 cells.</p>" in text


def test_whatever_a_label_holds_is_text_and_no_script_can_run(out):
    text = write_results_page(out).read_text()
    assert HOSTILE not in text
    assert text.count("&lt;img src=x onerror=alert(1)&gt;") == 3
    assert "<script" not in text
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text).group(1)
    assert "script-src" not in policy
    assert "default-src 'none'" in policy


def test_a_figure_stands_in_the_page_with_its_values_and_its_files(out):
    text = write_results_page(out).read_text()
    (drawn,) = re.findall(r'src="data:image/svg\+xml;base64,([^"]*)"', text)
    assert base64.b64decode(drawn) == (out / "figures" / "lines.svg").read_bytes()
    assert "Table of the 12 values" in text
    assert '<a href="figures/lines.png">PNG</a>' in text
    assert "figures/lost.svg is not there" in text


def test_every_cell_is_listed_with_its_report_or_the_command_that_writes_it(out):
    text = write_results_page(out).read_text()
    first, second = re.findall(r"<tr>(<td>0</td>.*?)</tr>", text)
    assert re.findall("<td.*?>(.*?)</td>", first) == [
        *("0", "a", "0.978", "-", "1,234.6", "7.2", "done", "unknown (stale)"),
        '<a href="cells/a/run/report.html">report</a>',
    ]
    assert re.findall("<td.*?>(.*?)</td>", second)[-3:] == [
        "failed, exit code 4",
        "unknown (stale)",
        "prisam report cells/b/run",
    ]


def test_a_cell_that_a_stranger_wrote_is_shown_as_far_as_it_goes(out):
    (out / "cells" / "a" / "cell.json").write_text(
        '{"labels": 3, "ending": [1], "code_digests": 7}'
    )
    (out / "cells" / "a" / "measures.json").write_text("[" * 100_000)
    text = write_results_page(out).read_text()
    assert "cut off" in text


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"results\.md of an experiment: prisam experiment"):
        write_results_page(tmp_path)


def test_the_values_of_a_scatter_are_both_measures_of_every_line():
    spec = FigureSpec(
        name="points",
        title="Points",
        kind="scatter",
        measure="accuracy_deployed",
        x_measure="sent_mib",
        lines="method",
        where={"split": "hard"},
    )
    table = values_of(spec, results(), AXES)
    assert [row[:3] for row in table.rows] == [
        ["accuracy_deployed", "PRISAM", pytest.approx(0.65)],
        ["accuracy_deployed", "local", pytest.approx(0.53)],
        ["sent_mib", "PRISAM", 30],
        ["sent_mib", "local", 0],
    ]


def test_the_values_of_a_figure_over_bytes_are_the_accuracy_and_the_bytes_of_every_round():
    spec = FigureSpec(
        name="bytes",
        title="t",
        kind="over-bytes",
        measure="accuracy_deployed",
        lines="method",
        where={"split": "hard"},
    )
    table = values_of(spec, results(), AXES)
    statistics = ["mean", "sd", "low", "high", "n", "stale"]
    assert [*table.columns] == ["measure", "method", "round", *statistics]
    of = {tuple(row[:3]): row[3] for row in table.rows}
    assert of["accuracy_deployed", "PRISAM", "3"] == pytest.approx(0.65)
    assert of["sent_mib", "PRISAM", "1"] == 10.0
    assert {measure for measure, *_ in of} == {"accuracy_deployed", "sent_mib"}


def test_the_csv_of_a_figure_is_what_values_of_returns(out):
    with (out / "figures" / "lines.csv").open() as file:
        rows = [*csv.DictReader(file)]
    assert len(rows) == 12
    assert rows[0]["split"] == "hard"
    assert (rows[0]["round"], float(rows[0]["mean"])) == ("1", pytest.approx(0.325))
