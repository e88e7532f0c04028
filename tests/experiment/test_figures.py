import numpy as np
import pytest
from hand_results import AXES, results
from matplotlib.colors import to_hex

from prisam_p2p.experiment.figure_style import MARKERS, save
from prisam_p2p.experiment.figures import draw, write_figure
from prisam_p2p.experiment.mask_analysis import AnnouncedMasks
from prisam_p2p.experiment.mask_figures import components, similarity_matrix
from prisam_p2p.experiment.output_specs import FigureSpec
from prisam_p2p.page import palette
from prisam_p2p.page.palette import COLOURS


def spec(kind, **more):
    return FigureSpec(name="figure", title="A title", kind=kind, **more)


def over(kind):
    return spec(kind, measure="accuracy_deployed", lines="method", panels="split")


def curves(panel):
    """Return the lines with points, without the horizontal line of a method that sends nothing."""
    return [line for line in panel.lines if len(line.get_xdata()) > 2]


def test_over_rounds_has_a_panel_for_each_split_and_a_line_for_each_method():
    figure = draw(over("over-rounds"), results(), AXES)
    assert [panel.get_title() for panel in figure.axes] == ["hard", "easy"]
    assert [len(curves(panel)) for panel in figure.axes] == [2, 2]
    line = curves(figure.axes[0])[0]
    assert list(line.get_xdata()) == [1, 2, 3]
    assert line.get_ydata() == pytest.approx([0.325, 0.598, 0.65])
    assert figure.axes[0].get_xlabel() == "rounds"
    assert all(tick == int(tick) for panel in figure.axes for tick in panel.get_xticks())
    assert "accuracy" in figure.axes[0].get_ylabel()
    assert "n = 2 seeds" in figure.get_suptitle()


def test_over_bytes_a_method_that_sends_nothing_is_a_horizontal_line():
    figure = draw(over("over-bytes"), results(), AXES)
    (panel, _) = figure.axes
    (line,) = curves(panel)
    assert list(line.get_xdata()) == [10, 20, 30]
    (level,) = [each for each in panel.lines if each not in curves(panel)]
    assert level.get_ydata() == pytest.approx([0.53, 0.53])
    assert "MiB" in panel.get_xlabel()
    assert panel.get_xscale() == "log"


def test_scatter_has_a_point_for_each_method_where_both_measures_have_values():
    asked = spec(
        "scatter", measure="accuracy_deployed", x_measure="sent_mib", lines="method", panels="split"
    )
    figure = draw(asked, results(), AXES)
    hard, _ = figure.axes
    (bars,) = hard.containers
    point, (level,) = bars.lines[0], [x for x in hard.lines if x.get_label() == "local (at 0)"]
    assert level.get_ydata() == pytest.approx([0.53, 0.53])
    assert list(point.get_xdata()) == [30]
    assert point.get_ydata() == pytest.approx([0.65])
    assert hard.get_xscale() == "log"
    assert "MiB" in hard.get_xlabel()


def test_the_x_axis_of_against_has_numbers_or_text():
    axes = {**AXES, "method": ["PRISAM"]}
    words = draw(
        spec("against", measure="accuracy_deployed", x="split", lines="method"), results(), AXES
    )
    assert [tick.get_text() for tick in words.axes[0].get_xticklabels()] == ["hard", "easy"]
    assert len(words.axes[0].containers) == 2
    numbers = draw(
        spec("against", measure="accuracy_deployed", x="seed", where={"split": "hard"}),
        [r for r in results() if r.labels["method"] == "PRISAM"],
        axes,
    )
    (container,) = numbers.axes[0].containers
    assert list(container.lines[0].get_xdata()) == [0, 1]
    assert container.lines[0].get_ydata() == pytest.approx([0.6, 0.7])


def test_bars_have_a_bar_for_each_method_and_split():
    figure = draw(
        spec("bars", measure="accuracy_deployed", x="split", lines="method"), results(), AXES
    )
    heights = [patch.get_height() for patch in figure.axes[0].patches]
    assert heights == pytest.approx([0.65, 0.92, 0.53, 0.85])


def test_cost_is_drawn_with_the_curve_of_one_minus_rho_squared():
    axes = {"seed": [0, 1], "prune_ratio": [0.5]}
    one = [r for r in results() if r.labels["method"] == "PRISAM" and r.labels["split"] == "hard"]
    for each in one:
        each.labels["prune_ratio"] = 0.5
    figure = draw(spec("cost", x="prune_ratio"), one, axes)
    (panel,) = figure.axes
    curve = panel.lines[0]
    assert curve.get_ydata()[50] == 0.25
    assert len(panel.containers) == 3
    (key,) = figure.legends
    assert len(key.get_texts()) == 4
    assert key.get_window_extent().width <= figure.bbox.width


def test_without_values_there_is_no_figure(tmp_path):
    assert not write_figure(over("over-rounds"), [], AXES, tmp_path)
    assert list(tmp_path.iterdir()) == []


def masks():
    rows = np.array([[1, 1, 0, 0], [1, 1, 0, 1], [0, 0, 1, 1], [0, 1, 1, 1]], bool)
    peers = ["p00", "p01", "p02", "p03"]
    return AnnouncedMasks(
        dict(zip(peers, rows, strict=True)), dict(zip(peers, (0, 0, 1, 1), strict=True))
    )


def test_a_mask_matrix_shows_every_pair_and_the_borders_of_groups():
    figure = similarity_matrix(masks(), "Masks")
    panel = figure.axes[0]
    shown = panel.images[0].get_array()
    assert shown.shape == (4, 4)
    assert shown[0, 1] == 0.75
    assert shown[0, 2] == 0.0
    assert len(panel.lines) == 2  # one border, across and down
    strongest = panel.images[0].get_cmap()(1.0)
    assert to_hex(strongest).upper() == palette.SEQUENTIAL[-1]
    assert "pair AUC 1.000" in figure.get_suptitle()


def test_components_have_a_style_for_each_group():
    panel = components(masks(), "PCA").axes[0]
    assert [len(each.get_offsets()) for each in panel.collections] == [2, 2]
    assert "% of variance" in panel.get_xlabel()


@pytest.mark.parametrize("ending", ["png", "pdf"])
def test_figure_files_are_written_and_reproducible(tmp_path, ending):
    found = []
    for _ in range(2):
        assert write_figure(over("over-rounds"), results(), AXES, tmp_path)
        found.append((tmp_path / f"figure.{ending}").read_bytes())
    assert found[0] == found[1]
    assert len(found[0]) > 5000
    save(similarity_matrix(masks(), "Masks"), tmp_path, "masks")
    assert (tmp_path / f"masks.{ending}").stat().st_size > 5000


def test_line_styles_differ_without_colour():
    assert len(set(MARKERS)) == len(MARKERS) >= len(COLOURS)
