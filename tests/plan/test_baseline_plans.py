"""What a plan holds for algorithms other than PRISAM, and for the run beside it."""

from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from prisam_p2p.cli import main
from prisam_p2p.errors import ConfigError
from prisam_p2p.plan.planning import prepare
from prisam_p2p.plan.topology import load_topology, resolve_settings
from prisam_p2p.shipped import DEFAULT_TOPOLOGY

EXAMPLES = Path(__file__).parents[2] / "examples"
WITHOUT_BUDGETS = DEFAULT_TOPOLOGY.parent / "experiments" / "networks" / "equal-20.toml"
MIXED = {0.0, 0.3, 0.5}  # the default topology's device profiles


def prepared(path=DEFAULT_TOPOLOGY, **overrides):
    topology = load_topology(path)
    found = prepare(topology, resolve_settings(topology, overrides))
    with closing(found.images):
        return found


def ratios(plan):
    return {peer.prune_ratio for peer in plan.peers.values()}


def test_a_dense_baseline_beside_a_pruned_run():
    found = prepared(baseline="fedavg-random")
    assert ratios(found.plan) == MIXED
    assert ratios(found.baseline) == {0.0}
    assert {peer.n_bytes for peer in found.baseline.peers.values()} == {found.plan.model.n_bytes}
    assert found.baseline.settings.algorithm == "fedavg-random"
    assert found.baseline.settings.baseline is None
    groups = [[peer.group for peer in plan.peers.values()] for plan in (found.plan, found.baseline)]
    assert groups[0] == groups[1]


def test_a_pruned_baseline_beside_a_dense_run():
    found = prepared(algorithm="oracle", baseline="prisam")
    assert ratios(found.plan) == {0.0}
    assert ratios(found.baseline) == MIXED
    assert found.baseline.similarity_ratio == 0.5


def test_masks_tell_something_where_nobody_prunes_if_they_are_compared():
    dense = {"path": WITHOUT_BUDGETS, "prune_ratio": 0.0}
    found = prepared(**dense, baseline="fedavg-random")
    assert (found.plan.similarity_ratio, found.baseline.similarity_ratio) == (0.5, 0.0)
    assert prepared(**dense, similarity_ratio=0.0).plan.similarity_ratio == 0.0


@pytest.mark.parametrize(
    ("rule", "ratio"),
    [
        ({}, 0.5),
        ({"similarity_by": "gamma-change"}, 0.75),  # all channels that are kept have moved
        ({"mask_by": "random-common"}, 0.75),
        ({"mask_by": "gamma-once"}, 0.75),
        ({"similarity_by": "gamma-of-w0"}, 0.5),  # W0 has all channels
        ({"similarity_by": "gamma-of-w0", "prune_w0": True}, 0.75),
        ({"similarity_by": "gamma-of-w0", "mask_by": "random-own"}, 0.5),
        ({"similarity_by": "gamma-change", "similarity_ratio": 0.6}, 0.6),
    ],
)
def test_a_mask_is_of_fewer_channels_where_all_that_are_kept_would_say_nothing(rule, ratio):
    found = prepared(path=WITHOUT_BUDGETS, prune_ratio=0.5, **rule)
    assert found.plan.similarity_ratio == ratio


def test_regrowth_needs_a_mask_that_may_change():
    with pytest.raises(ConfigError, match=r"--regrow-share.*mask-by random-common"):
        prepared(regrow_share=0.1, mask_by="random-common")


@pytest.mark.parametrize("overrides", [{"baseline": "none"}, {"algorithm": "local"}])
def test_there_is_no_baseline_where_none_is_asked_or_it_is_the_same(overrides):
    assert prepared(**overrides).baseline is None


@pytest.mark.parametrize(
    ("overrides", "fan_in"),
    [
        ({}, 3),  # 12 peers in 3 groups of 4
        ({"groups": 5, "classes_per_group": 2}, 1),  # 12 / 5 = 2.4
        ({"clusters": 6}, 3),  # what K-means is told does not change the data
        ({"split": "iid"}, 3),  # no groups: as many as K-means would make
        ({"split": "iid", "clusters": 2}, 5),
        ({"split": "iid", "clusters": 12}, 1),
        ({"fan_in": 7}, 7),
    ],
)
def test_the_fan_in_is_the_mean_group_size_less_one(overrides, fan_in):
    assert prepared(baseline="none", **overrides).plan.fan_in == fan_in


@pytest.mark.parametrize("option", ["algorithm", "baseline"])
def test_an_oracle_needs_groups_to_tell(option):
    with pytest.raises(ConfigError) as error:
        prepared(**{option: "oracle-pruned", "split": "dirichlet"})
    assert f"--{option}" in str(error.value)
    assert "dirichlet" in str(error.value)


def test_pens_must_have_models_to_choose_among():
    with pytest.raises(ConfigError, match="--pens-sampled = 3: expected more than the fan-in, 3"):
        prepared(algorithm="pens", pens_sampled=3)
    assert prepared(algorithm="pens", pens_sampled=4).plan.fan_in == 3
    assert prepared(algorithm="pens", pens_sampled=3, fan_in=11).plan.fan_in == 11  # all there are


def test_flips_are_refused_where_inputs_are_no_images():
    texts = f"{EXAMPLES / 'text.py'}:numbers"
    words = ["plan", "ring-8", "--split", "iid", "--dataset", texts, "--flips"]
    done = CliRunner().invoke(main, [*words, "--model", texts.replace("numbers", "text_net")])
    assert done.exit_code == 2
    assert "--flips = 'on': expected no flips" in done.output
    assert "no images but int64 of shape (12,)" in done.output
    assert prepared(flips=True).plan.settings.flips
