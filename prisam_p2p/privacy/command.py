"""`prisam privacy`: parse, measure, print. cli.py makes it a command."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from prisam_p2p.errors import ConfigError
from prisam_p2p.options import given_settings, option_in, some_settings, table_or_json

if TYPE_CHECKING:
    from prisam_p2p.privacy.study import Figures, Outcome

_SETTINGS = (
    "seed",
    "dataset",
    "data_dir",
    "download",
    "image_size",
    "groups",
    "classes_per_group",
    "images_per_peer",
    "model",
    "width",
    "warmup_epochs",
    "batch_size",
    "learning_rate",
    "prune_ratio",
    "similarity_ratio",
    "similarity_layers",
)
_EPSILONS = (3.0, 1.0, 0.5)


@option_in(
    "Attack",
    "--shadows",
    type=click.IntRange(2, 5000),
    default=90,
    help="Devices that the attacker trains to learn from. [90]",
)
@option_in(
    "Attack",
    "--victims",
    type=click.IntRange(2, 5000),
    default=30,
    help="Devices whose masks it reads. [30]",
)
@option_in(
    "Attack",
    "--epsilon",
    "epsilons",
    type=click.FloatRange(0, min_open=True),
    multiple=True,
    help="Also with --mask-noise of this epsilon; may be given more than once. [3, 1 and 0.5]",
)
@option_in(
    "Attack",
    "--repeats",
    type=click.IntRange(1, 100),
    default=3,
    help="Seeds: other images, devices and noise. [3]",
)
@table_or_json
@some_settings(*_SETTINGS, unset="that of a run")
def privacy(
    shadows: int,
    victims: int,
    epsilons: Sequence[float],
    repeats: int,
    output: str,
    **given: object,
) -> None:
    """Attack announced masks: which classes do a peer's data have? docs/security.md

    Trains devices from one W0, each with --classes-per-group of the classes, half of the images for
    the attacker's and half for the others. The attacker learns from its own devices, and reads one
    mask of round 0 of each other device: AUC 0.5 is guessing, 1 is certain. The same with
    --mask-noise, beside what the noise leaves of the signal by which masks find groups. No network
    is started; it takes about half a minute on digits.

    Example: prisam privacy --epsilon 2 --repeats 1
    """
    from prisam_p2p.plan.planning import open_dataset
    from prisam_p2p.plan.toml_file import validate
    from prisam_p2p.privacy.study import AttackPlan, study
    from prisam_p2p.settings import RunSettings

    settings = validate(given_settings(given), RunSettings, "the command line")
    dataset = open_dataset(settings)
    if settings.classes_per_group >= dataset.n_classes:
        right = f"below {dataset.n_classes}: with all classes there is nothing to find out"
        raise ConfigError("--classes-per-group", "", settings.classes_per_group, right)
    asked = AttackPlan(shadows, victims, [None, *dict.fromkeys(epsilons or _EPSILONS)], repeats)
    found = study(settings, dataset, asked, lambda line: print(line, file=sys.stderr, flush=True))
    if output == "json":
        click.echo(json.dumps(_as_dict(settings.dataset, asked, found), indent=1))
    else:
        _print(found, repeats)


def _as_dict(dataset: str, asked: Any, found: Sequence[Outcome]) -> dict[str, Any]:
    how = {key: each for key, each in asdict(asked).items() if key != "epsilons"}
    return {"dataset": dataset, **how, "outcomes": [asdict(each) for each in found]}


def _print(found: Sequence[Outcome], repeats: int) -> None:
    from prisam_p2p.console import TableColumn, print_line, print_table

    columns = [TableColumn("mask noise", keeps=True)]
    columns += [
        TableColumn(title, right=True)
        for title in ("class presence, AUC", "similarity and classes, r", "groups, ARI")
    ]
    print_table(columns, [_cells(each) for each in found])
    print_line(f"mean and standard deviation of n = {repeats}")


def _cells(outcome: Outcome) -> list[str]:
    noise = "none" if outcome.epsilon is None else f"epsilon {outcome.epsilon:g}"
    return [noise, *map(_text, (outcome.auc, outcome.correlation, outcome.ari))]


def _text(figures: Figures) -> str:
    if figures.mean is None:
        return "-"
    spread = "" if figures.spread is None else f" +- {figures.spread:.3f}"
    return f"{figures.mean:.3f}{spread}"
