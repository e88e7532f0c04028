"""Results of an experiment on terminals of some widths: labels stay, nothing is cut."""

import pytest

from prisam_p2p.experiment.printed_results import fitted

MARKDOWN = r"""# A study

### Accuracy of methods

Mean ± sample standard deviation over the seeds, n = 3 seeds.

| method | split | accuracy | bytes on the wire, MiB |
| --- | --- | ---: | ---: |
| prisam | cluster-pathological | 0.961 ± 0.010 | 100.1 ± 0.2 |
| d-psgd\|ft | iid | 0.900 ± 0.020 | 1,000.5 ± 0.1 |
"""
LABELS = [["method", "split"], ["prisam", "cluster-pathological"], ["d-psgd|ft", "iid"]]


def test_a_pipe_gets_the_markdown():
    assert fitted(MARKDOWN, None) == MARKDOWN


@pytest.mark.parametrize("width", [40, 80, 200])
def test_labels_stay_at_any_width(width):
    lines = fitted(MARKDOWN, width).splitlines()
    assert max(map(len, lines)) <= width
    rule = next(i for i, line in enumerate(lines) if set(line) == {"─"})
    rows = [lines[i].split()[:2] for i in (rule - 1, rule + 1, rule + 2)]
    assert rows == LABELS


def test_columns_of_numbers_are_left_out_from_the_right():
    assert "bytes on the wire, MiB" in fitted(MARKDOWN, 80).splitlines()[6]
    narrow = fitted(MARKDOWN, 50).splitlines()
    assert narrow[-1] == "too narrow for: bytes on the wire, MiB"
    assert [line.split()[2:] for line in narrow[-3:-1]] == [
        ["0.961", "±", "0.010"],
        ["0.900", "±", "0.020"],
    ]
