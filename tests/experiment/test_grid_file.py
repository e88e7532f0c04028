"""The file of an experiment: its cells, its trials, and the input that is refused."""

import re
import tomllib
from pathlib import Path

import pytest

from prisam_p2p.errors import ConfigError
from prisam_p2p.experiment.catalog import CATALOG
from prisam_p2p.experiment.cells import cells_of, is_tuned, key_of, searches_of, trial_of
from prisam_p2p.experiment.grid_file import load_grid
from prisam_p2p.experiment.output_specs import FigureKind
from prisam_p2p.experiment.resolved_cell import resolve
from prisam_p2p.settings import MOST_ROUNDS, RunSettings

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "topologies" / "experiments").glob("*/*.toml"))
GRIDS = [path for path in SHIPPED if path.parent.name in ("two-core", "paper")]

BASIS = """
description = "for tests"
topology = "net.toml"

[run]
rounds = 3
lr_decay = 0.8
"""
AXES = """
[axes]
seed = [0, 1]
prune_ratio = [0.3, 0.5]

[[axes.method]]
label = "PRISAM"
algorithm = "prisam"
grouping = "top-m"

[[axes.method]]
label = "local, dense"
algorithm = "local"
without = ["prune_ratio"]
"""
TUNE = """
[tune]
per = ["method"]
seed = 7
candidates = { learning_rate = [0.1, 0.2], momentum = [0.0] }
"""
NET = """
[peers]
count = 4
profiles = ["server-core"]
[links]
generator = "full"
"""


@pytest.fixture
def grid(tmp_path):
    (tmp_path / "net.toml").write_text(NET)
    (tmp_path / "churn.toml").write_text("")

    def load(text):
        path = tmp_path / "grid.toml"
        path.write_text(text)
        return load_grid(path)

    return load


def cells(grid, text, **overrides):
    return cells_of(grid(text), overrides, {})


def test_cells_are_the_product_and_the_first_axis_varies_slowest(grid):
    found = cells(grid, BASIS + AXES)
    assert [cell.name for cell in found] == [
        "seed-0_prune-ratio-0.3_prisam",
        "seed-0_local-dense",
        "seed-0_prune-ratio-0.5_prisam",
        "seed-1_prune-ratio-0.3_prisam",
        "seed-1_local-dense",
        "seed-1_prune-ratio-0.5_prisam",
    ]


def test_the_values_of_axes_override_the_table_run(grid, tmp_path):
    cell = cells(grid, BASIS + AXES)[2]
    assert cell.settings == {
        "rounds": 3,
        "lr_decay": 0.8,
        "seed": 0,
        "prune_ratio": 0.5,
        "algorithm": "prisam",
        "grouping": "top-m",
    }
    assert cell.labels == {"seed": 0, "prune_ratio": 0.5, "method": "PRISAM"}
    assert cell.topology == tmp_path / "net.toml"
    assert cell.faults is None


def test_an_axis_does_not_apply_to_a_value_that_is_without_it(grid):
    local = cells(grid, BASIS + AXES)[1]
    assert local.labels == {"seed": 0, "method": "local, dense"}
    assert "prune_ratio" not in local.settings


def test_the_command_line_overrides_the_table_run_but_no_axis(grid):
    assert {cell.settings["rounds"] for cell in cells(grid, BASIS + AXES, rounds=9)} == {9}
    with pytest.raises(ConfigError, match=r"--prune-ratio = 0\.1: expected no --prune-ratio, as"):
        cells(grid, BASIS + AXES, prune_ratio=0.1)


def test_an_axis_may_give_topologies_and_faults(grid, tmp_path):
    text = (
        BASIS
        + '[axes]\n[[axes.churn]]\nlabel = 0\n[[axes.churn]]\nlabel = 5\nfaults = "churn.toml"'
    )
    assert [cell.faults for cell in cells(grid, text)] == [None, tmp_path / "churn.toml"]


def test_excluded_combinations_are_not_run(grid):
    text = BASIS + AXES + '[[exclude]]\nseed = 1\nmethod = ["PRISAM"]'
    assert [cell.name for cell in cells(grid, text)][3:] == ["seed-1_local-dense"]


def first_trials(loaded):
    """The first runs of tuning: every candidate with the first seed."""
    return [
        trial_of(loaded, {}, search, candidate, search.grid.seeds[0])
        for search in searches_of(loaded, cells_of(loaded, {}, {}))
        for candidate in search.grid.candidates()
    ]


def test_trials_are_every_candidate_at_the_other_axes_first_value(grid):
    loaded = grid(BASIS + AXES + TUNE)
    trials = first_trials(loaded)
    assert [trial.name for trial in trials] == [
        "prisam_learning-rate-0.1_momentum-0.0",
        "prisam_learning-rate-0.2_momentum-0.0",
        "local-dense_learning-rate-0.1_momentum-0.0",
        "local-dense_learning-rate-0.2_momentum-0.0",
    ]
    assert {trial.settings["seed"] for trial in trials} == {7}
    assert trials[1].settings["prune_ratio"] == 0.3
    (search, _) = searches_of(loaded, cells_of(loaded, {}, {}))
    assert search.grid.seeds == (7, 8, 9)
    later = trial_of(loaded, {}, search, (0.1, 0.0), 8)
    assert later.name == "prisam_learning-rate-0.1_momentum-0.0_seed-8"
    assert later.settings["seed"] == 8


def test_a_form_of_a_method_takes_what_was_tuned_for_another(grid):
    form = '[[axes.method]]\nlabel = "long"\nepochs = 4\ntuned_as = "PRISAM"\n'
    loaded = grid(BASIS + AXES + form + TUNE)
    assert [s.labels["method"] for s in searches_of(loaded, cells_of(loaded, {}, {}))] == [
        "PRISAM",
        "local, dense",
    ]
    tuned = {key_of({"method": "PRISAM"}): {"learning_rate": 0.2}}
    long = [cell for cell in cells_of(loaded, {}, tuned) if cell.labels["method"] == "long"]
    assert {(c.settings["epochs"], c.settings["learning_rate"]) for c in long} == {(4, 0.2)}
    assert [search.labels["method"] for search in searches_of(loaded, long)] == ["PRISAM"]
    assert is_tuned(loaded, long[0], tuned)
    assert not is_tuned(loaded, long[0], {})


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ('tuned_as = "PRISM"', "tuned_as = 'PRISM': expected .*PRISAM, local, dense"),
        ('tuned_as = "long"', "tuned_as = 'long': expected"),
        ('tuned_as = "PRISAM"\ntune = { epochs = [1, 2] }', "expected without tune"),
    ],
)
def test_a_form_names_a_method_that_is_tuned(grid, more, words):
    with pytest.raises(ConfigError, match=words):
        grid(BASIS + AXES + f'[[axes.method]]\nlabel = "long"\n{more}\n' + TUNE)
    with pytest.raises(ConfigError, match=r"tuned_as|tune = "):
        grid(BASIS + AXES + f'[[axes.method]]\nlabel = "long"\n{more}\n')


def test_a_method_may_tune_settings_of_its_own(grid):
    own = AXES.replace('grouping = "top-m"', "tune = { epochs = [1, 2] }")
    loaded = grid(BASIS + own + TUNE)
    prisam, local = searches_of(loaded, cells_of(loaded, {}, {}))
    assert prisam.grid.values == {"epochs": (1, 2)}
    assert local.grid.values == {"learning_rate": (0.1, 0.2), "momentum": (0.0,)}
    with pytest.raises(ConfigError, match=r"axes.method\[0\].tune = .*expected \[tune\]"):
        grid(BASIS + own)
    with pytest.raises(ConfigError, match=r"axes.method\[0\].tune.epochs = \[\]: expected a list"):
        grid(BASIS + own.replace("[1, 2]", "[]") + TUNE)


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ("learning_rate = [0.15, 1]", r"bounds.learning_rate = \[0.15, 1.0\]: .* such as 0.1"),
        ("learning_rat = [0.01, 1]", "bounds.learning_rat = .*the nearest is learning_rate"),
        ("momentum = [0.0, 1.5]", r"tune.bounds.momentum = 1.5: expected"),
    ],
)
def test_bounds_hold_the_values_and_are_valid(grid, bounds, words):
    with pytest.raises(ConfigError, match=words):
        grid(BASIS + AXES + TUNE + f"bounds = {{ {bounds} }}")


def test_trials_are_evaluated_at_their_end_alone_unless_a_setting_uses_evaluations(grid):
    for more, every in (("", MOST_ROUNDS), ("patience = 3\n", None)):
        loaded = grid(BASIS + more + AXES + TUNE)
        found = cells_of(loaded, {}, {})
        trials = first_trials(loaded)
        assert {trial.settings.get("evaluate_every") for trial in trials} == {every}
        assert {cell.settings.get("evaluate_every") for cell in found} == {None}


def test_cells_have_the_settings_that_tuning_chose(grid):
    loaded = grid(BASIS + AXES + TUNE)
    chosen = {key_of({"method": "PRISAM"}): {"learning_rate": 0.2}}
    rates = [cell.settings.get("learning_rate") for cell in cells_of(loaded, {}, chosen)]
    assert rates == [0.2, None, 0.2] * 2


TABLE = '[[table]]\nname = "t"\ntitle = "T"\n'
FIGURE = '[[figure]]\nname = "f"\ntitle = "F"\n'
REFUSED = [
    (
        BASIS.replace("rounds", "roundes") + AXES,
        "run.roundes = 3: expected a known key; the ne.*roun",
    ),
    (BASIS, r"axes = \(missing\): expected a value"),
    (BASIS + "[axes]\nseeds = [1]", "axes.seeds = .*expected a setting.*nearest is seed"),
    (BASIS + "[axes]\nseed = []", r"axes.seed = \[\]: expected at least one value"),
    (BASIS + "[axes]\nseed = [-1]", r"axes.seed\[0\] = -1: expected a number of at least 0"),
    (BASIS + "[axes]\nseed = [1, 1]", "axes.seed = 1: expected each label only once"),
    (BASIS + "[axes]\nm = [{ rounds = 2 }]", r"axes.m\[0\].label = \(missing\): expected text"),
    (
        BASIS + '[axes]\nm = [{ label = "a", algoritm = "local" }]',
        r"axes.m\[0\].algoritm = 'local': expected a known key; the nearest is algorithm",
    ),
    (
        BASIS + '[axes]\nm = [{ label = "a", without = ["sed"] }]',
        "axes.m = 'sed': expected an axis; there is m",
    ),
    (
        BASIS + '[axes]\nm = [{ label = "a", faults = "chrn.toml" }]',
        r"axes.m\[0\].faults = .*the nearest is churn.toml",
    ),
    (BASIS + '[axes]\nbaseline = ["local"]', "axes.baseline.*axis named method"),
    (BASIS.replace("net.toml", "nte.toml") + AXES, "topology = .*the nearest is net.toml"),
    (
        BASIS + AXES + '[[exclude]]\nmethod = "PRSM"',
        r"exclude\[0\].method = 'PRSM': expected a label",
    ),
    (
        BASIS + AXES + "[tune]\ncandidates = { rate = [1] }",
        "candidates.rate.rate.*learning_rate|known key",
    ),
    (
        BASIS
        + AXES
        + '[[table]]\nname = "t"\ntitle = "T"\nmeasures = ["acuracy"]\nrows = ["method"]',
        r"table\[0\].measures = 'acuracy': expected a measure; the nearest is",
    ),
    (
        BASIS + AXES + TABLE + 'measures = ["ari"]\nrows = ["method"]',
        r"table\[0\].where = \(missing\): expected one label in where.prune_ratio",
    ),
    (
        BASIS + AXES + FIGURE + 'kind = "bars"\nmeasure = "ari"',
        r"figure\[0\].x = \(missing\): expected a value, which a figure bars needs",
    ),
    (
        BASIS
        + AXES
        + '[[figure]]\nname = "f"\ntitle = "F"\nkind = "mask-pca"\nwhere = { seed = 5 }',
        r"figure\[0\].*(label of seed: 0, 1|where.prune_ratio)",
    ),
    (
        BASIS + AXES + FIGURE + 'kind = "bars"\nmeasure = "ari"\nx = "round"\nlines = "method"',
        r"figure\[0\] = 'round': expected an axis",
    ),
    (
        BASIS
        + AXES
        + TABLE
        + 'measures = ["ari"]\nrows = ["round"]\nrounds = [1]\nwhere = { round = 1 }',
        r"table\[0\] = 'round': expected an axis",
    ),
    (
        BASIS + AXES + '[[table]]\nname = "cells"\ntitle = "T"\nmeasures = ["ari"]\n'
        'rows = ["method", "prune_ratio"]',
        r"table\[0\].name = 'cells': expected a name that is not taken",
    ),
]


@pytest.mark.parametrize(("text", "words"), REFUSED, ids=range(len(REFUSED)))
def test_wrong_files_are_refused_with_what_would_be_right(grid, text, words):
    with pytest.raises(ConfigError) as caught:
        grid(text)
    assert re.search(words, str(caught.value)), str(caught.value)


def test_two_axes_that_give_the_same_setting_are_refused(grid):
    text = BASIS + '[axes]\nseed = [0]\n[[axes.m]]\nlabel = "a"\nseed = 3'
    with pytest.raises(ConfigError, match="seed in only one of the axes seed and m"):
        cells(grid, text)


def test_cells_of_the_same_name_are_refused(grid):
    text = BASIS + '[axes]\nm = [{ label = "a b" }, { label = "a-b" }]'
    with pytest.raises(ConfigError, match="two cells would be a-b"):
        cells(grid, text)


# --- what ships ---


@pytest.mark.parametrize("path", GRIDS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_shipped_experiment_is_valid(path):
    loaded = load_grid(path)
    found = cells_of(loaded, {}, {})
    for cell in [*found, *first_trials(loaded)]:
        resolve(cell)
    assert loaded.tables or loaded.figures


def test_each_experiment_of_the_paper_is_shipped_in_two_sizes():
    for size in ("two-core", "paper"):
        names = " ".join(path.stem for path in GRIDS if path.parent.name == size)
        for part in (
            "fig-3",
            "fig-5-table-1",
            "table-1-cost",
            "table-2",
            "groups",
            "churn",
            "mixed",
            "prune-ratio",
        ):
            assert part in names, (size, part)


def test_shipped_experiments_use_existing_settings():
    for path in GRIDS:
        assert set(tomllib.loads(path.read_text()).get("run", {})) <= set(RunSettings.model_fields)


PAGE = (ROOT / "docs" / "experiments.md").read_text()


def test_every_measure_kind_of_figure_and_shipped_file_is_documented():
    for name in [*CATALOG, *FigureKind]:
        assert f"`{name}`" in PAGE, name
    for path in GRIDS:
        name = re.sub(r"^(fig-5-table-1)-.*", r"\1-*", path.stem)
        assert f"`{name}`" in PAGE, path


def test_the_documented_file_is_valid(grid, tmp_path):
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    text = example.replace("../networks/equal-20.toml", "net.toml")
    loaded = grid(text)
    assert len(cells_of(loaded, {}, {})) == 9
    (search, _) = searches_of(loaded, cells_of(loaded, {}, {}))[:2]
    assert len(search.grid.candidates()) == 9
