from enum import StrEnum
from pathlib import Path
from typing import Self

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from prisam_p2p.errors import ConfigError
from prisam_p2p.plan.toml_file import Misfit, config_error_from, load_toml
from prisam_p2p.settings import RunSettings


class Color(StrEnum):
    RED = "red"
    GREEN = "green"


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    low: int = 0
    high: int = 1
    pairs: list[tuple[str, str]] = []

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise Misfit("low", self.low, f"at most high, {self.high}")
        return self


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    rounds: int = Field(ge=1, le=9)
    rate: float = Field(0.5, gt=0, lt=1)
    color: Color = Color.RED
    folder: Path | None = None
    loud: bool = False
    inner: Inner = Inner()


def load(tmp_path, text):
    path = tmp_path / "some.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_toml(path, Outer)


def test_enums_and_paths_are_strings_and_an_integer_is_a_fine_number(tmp_path):
    text = 'rounds = 3\nrate = 0.1\ncolor = "green"\nfolder = "a/b"\n[inner]\npairs = [["a", "b"]]'
    outer = load(tmp_path, text)
    assert (outer.color, outer.folder) == (Color.GREEN, Path("a/b"))
    assert outer.inner.pairs == [("a", "b")]

    class Speed(BaseModel):
        speed: float

    (tmp_path / "speed.toml").write_text("speed = 1")
    assert load_toml(tmp_path / "speed.toml", Speed).speed == 1.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rounds = 3\nrouns = 4", r"rouns = 4: expected a known key; the nearest is rounds$"),
        ("rouns = 4", r"rouns = 4: expected a known key; the nearest is rounds$"),  # not: missing
        ("rounds = 3\nzzz = 4", r"zzz = 4: .*there is rounds, rate, color, folder, loud, inner$"),
        ("rounds = 3\n[inner]\nlo = 1", r"inner\.lo = 1: .*the nearest is low$"),
        ("rounds = 3\n[iner]\nlow = 1", r"iner = \(a table\): .*the nearest is inner$"),
        ("", r"rounds = \(missing\): expected a value"),
        ("rounds = true", r"rounds = True: expected an integer$"),
        ('rounds = "3"', r"rounds = '3': expected an integer$"),
        ("rounds = 3.0", r"rounds = 3\.0: expected an integer$"),
        ("rounds = 3.5", r"rounds = 3\.5: expected an integer$"),
        ("rounds = 0", r"rounds = 0: expected a number of at least 1$"),
        ("rounds = 10", r"rounds = 10: expected a number of at most 9$"),
        ("rounds = 1\nrate = 0", r"rate = 0: expected a number above 0"),
        ("rounds = 1\nrate = 1.0", r"rate = 1\.0: expected a number below 1"),
        ("rounds = 1\nrate = true", r"rate = True: expected a number$"),
        ("rounds = 1\nrate = nan", r"rate = nan: expected a finite number$"),
        ("rounds = 1\nrate = inf", r"rate = inf: expected a finite number$"),
        ("rounds = 1\nloud = 1", r"loud = 1: expected true or false$"),
        ('rounds = 1\ncolor = "blue"', r"color = 'blue': expected one of 'red' or 'green'$"),
        ("rounds = 1\nfolder = 1", r"folder = 1: expected text in quotes$"),
        ("rounds = 1\nfolder = 1999-01-01", r"folder = \(1999-01-01\): expected no date"),
        ("rounds = 1\ninner = 1", r"inner = 1: expected a table$"),
        ('rounds = 1\n[inner]\npairs = [["a", 1]]', r"inner\.pairs\[0\]\[1\] = 1: expected text"),
        ("rounds = 1\n[inner]\nlow = 5", r"inner\.low = 5: expected at most high, 1$"),
        ("rounds 3", r"\(at line 1, column 8\)\): expected valid TOML$"),
        ("rounds = 3\nrounds = 4\nrate = 1", r"line 2.*: expected valid TOML$"),
        (b"rounds = '\xff'", r"expected UTF-8 text$"),
    ],
)
def test_refusals_name_file_key_value_and_what_is_right(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message) as refusal:
        load(tmp_path, text)
    assert str(refusal.value).startswith(str(tmp_path / "some.toml"))
    assert "\n" not in str(refusal.value)


def test_a_missing_file_is_answered_with_the_nearest_names(tmp_path):
    (tmp_path / "ring-8.toml").touch()
    (tmp_path / "star-9.toml").touch()
    with pytest.raises(ConfigError, match=r"ring-9\.toml = .*the nearest is ring-8\.toml"):
        load_toml(tmp_path / "ring-9.toml", Outer)
    with pytest.raises(ConfigError, match=r"no such file.*there is ring-8\.toml, star-9\.toml"):
        load_toml(tmp_path / "zzz", Outer)
    with pytest.raises(ConfigError, match=r"expected a file in a folder"):
        load_toml(tmp_path / "nowhere" / "ring-8.toml", Outer)


def test_a_folder_is_not_a_file(tmp_path):
    with pytest.raises(ConfigError, match="expected a readable file"):
        load_toml(tmp_path, Outer)


def test_settings_given_elsewhere_are_refused_in_the_same_words():
    with pytest.raises(ValidationError) as invalid:
        RunSettings(split="clusters")
    error = config_error_from(invalid.value, "--split")
    assert error.where == "--split"
    assert error.right.startswith("one of 'cluster-dirichlet', 'cluster-pathological'")
