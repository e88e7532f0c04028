import pytest

from prisam_p2p.errors import ConfigError
from prisam_p2p.plan.named_files import PROFILE_FILES, NamedFiles
from prisam_p2p.plan.profile import load_profile

SHIPPED = list(PROFILE_FILES.known())
ABOUT = 'description = "d"\nsource = "s"\n'


def only_in(folder):
    return NamedFiles("a device profile", (folder,))


def test_profiles_are_shipped():
    assert len(SHIPPED) >= 6


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_profile_loads_and_says_where_its_figures_come_from(name):
    profile = load_profile(name)
    assert profile.name == name
    assert len(profile.source) > 100
    assert 0.05 <= profile.speed <= 1


def test_shipped_profiles_ask_for_mixed_prune_ratios():
    profiles = [load_profile(name) for name in SHIPPED]
    assert {p.macs_share or p.storage_share for p in profiles} == {None, 0.55, 0.29, 0.12}


def kept(n, percent):
    """Channels kept of n, in integers: n - floor(rho * n)."""
    return n - n * percent // 100


def vgg_s_macs(percent):
    """MACs of VGG-S (16-M-32-M-64-M-64, 10 classes) on 8x8 digits at rho = percent / 100."""
    a, b, c = (kept(n, percent) for n in (16, 32, 64))
    return 9 * (64 * a + 16 * a * b + 4 * b * c + c * c) + 10 * c


@pytest.mark.parametrize(("share", "percent"), [(0.55, 30), (0.29, 50), (0.12, 70)])
def test_a_shipped_share_leads_to_the_prune_ratio_that_its_description_promises(share, percent):
    grid = range(0, 100, 5)
    assert next(p for p in grid if vgg_s_macs(p) <= share * vgg_s_macs(0)) == percent
    promised = [p for name in SHIPPED if share in budgets(p := load_profile(name))]
    assert promised
    assert all(f"rho about 0.{percent // 10}" in profile.description for profile in promised)


def budgets(profile):
    return (profile.macs_share, profile.storage_share)


def test_a_profile_is_found_by_name_and_by_path(tmp_path):
    (tmp_path / "toaster.toml").write_text(ABOUT)
    by_name = load_profile("toaster", profiles=only_in(tmp_path))
    assert by_name == load_profile(str(tmp_path / "toaster.toml"))
    assert (by_name.speed, by_name.threads, by_name.memory_mib) == (1.0, 1, None)


def test_an_unknown_profile_is_answered_with_the_nearest():
    message = r"'raspberry-pi-44': expected a device profile; the nearest is raspberry-pi-4"
    with pytest.raises(ConfigError, match=message):
        load_profile("raspberry-pi-44")


def test_a_folder_without_profiles_is_named(tmp_path):
    looked = rf"'laptop': expected a device profile \(looked in {tmp_path}\)"
    with pytest.raises(ConfigError, match=looked):
        load_profile("laptop", profiles=only_in(tmp_path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"description = \(missing\): "),
        ('description = "d"', r"source = \(missing\): "),
        (
            ABOUT + 'name = "x"',
            r"name = 'x': expected no such key: the profile is named like its file$",
        ),
        (ABOUT + "sped = 1", r"sped = 1: expected a known key; the nearest is speed"),
        (ABOUT + "speed = 0", r"speed = 0: expected a number above 0"),
        (ABOUT + "speed = 1.5", r"speed = 1\.5: expected a number of at most 1"),
        (ABOUT + "threads = true", r"threads = True: expected an integer$"),
        (ABOUT + "threads = 0", r"threads = 0: expected a number of at least 1$"),
        (ABOUT + "memory_mib = 0.5", r"memory_mib = 0\.5: expected an integer$"),
        (ABOUT + "storage_mib = 0", r"storage_mib = 0: expected a number above 0"),
        (ABOUT + "storage_share = 1.1", r"storage_share = 1\.1: expected a number of at most 1"),
        (ABOUT + "macs = 5e7", r"macs = 50000000\.0: expected an integer$"),
        (ABOUT + "macs_share = 0", r"macs_share = 0: expected a number above 0"),
        (ABOUT + "prune_ratio = 1", r"prune_ratio = 1: expected a number below 1"),
        (ABOUT + "prune_ratio = -0.1", r"prune_ratio = -0\.1: expected a number of at least 0"),
        (ABOUT + 'up_mbit_s = "9"', r"up_mbit_s = '9': expected a number$"),
        (ABOUT + "down_mbit_s = 0", r"down_mbit_s = 0: expected a number above 0"),
        (ABOUT + "macs = 9\nmacs_share = 0.5", r"macs_share = 0\.5: expected either .* or macs,"),
        (ABOUT + "storage_mib = 9\nstorage_share = 0.5", r"storage_share = 0\.5: .* storage_mib,"),
    ],
)
def test_refusals(tmp_path, text, message):
    (tmp_path / "odd.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"odd\.toml: " + message):
        load_profile("odd", profiles=only_in(tmp_path))
