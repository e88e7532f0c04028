import pytest

from prisam_p2p.experiment.durations import START_S, Pending, left_s, wall_s
from prisam_p2p.plan.profile import DeviceProfile
from prisam_p2p.settings import RunSettings


def test_the_time_left_follows_from_finished_and_running_cells_of_a_kind():
    waiting = [Pending("a"), Pending("a"), Pending("b")]
    assert left_s(waiting, {"a": [10.0, 20.0], "b": [40.0]}, 1) == 70.0
    assert left_s(waiting, {"a": [10.0, 20.0], "b": [40.0]}, 2) == 40.0  # the duration of b
    assert left_s(waiting, {"a": [10.0]}, 1) == 30.0  # b is assumed to be like a
    assert left_s(waiting, {}, 1) is None
    assert left_s([Pending("a", elapsed_s=5.0, share=0.25), Pending("a")], {}, 1) == 35.0
    assert left_s([Pending("a", elapsed_s=50.0, share=0.9)], {"a": [10.0]}, 1) == 0.0


def test_the_estimate_matches_a_calculation_by_hand():
    """Two peers train for 3 + 2 epochs of 5 steps, 100 ms each: 2.5 s of training each."""
    settings = RunSettings(
        rounds=2, warmup_epochs=3, epochs=2, images_per_peer=100, batch_size=16
    ).model_copy(update={"test_images_per_peer": 12})
    full = DeviceProfile(name="full", description="x", source="x")
    slow = full.model_copy(update={"speed": 0.1})
    forward_s = (4 * 32 / 16 * 0.35 + 2 * 5 * 0.35) * 0.1
    assert wall_s(settings, [full, full], 100.0, 2) == pytest.approx(START_S + 2.5 + forward_s)
    assert wall_s(settings, [full, slow], 100.0, 2) == pytest.approx(START_S + 25 + forward_s)
