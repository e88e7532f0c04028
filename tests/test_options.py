"""Help that lists settings by group, and the refusal of options that earlier versions had."""

import re

import pytest
from click.testing import CliRunner

from prisam_p2p.cli import main
from prisam_p2p.options import option_name
from prisam_p2p.settings import REMOVED, RENAMED, Heading, RunSettings, about

FIELDS = RunSettings.model_fields
WITH_SETTINGS = ["launch", "plan", "soak", "experiment"]


def shown(*words):
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    return done.output


def listed(text):
    return set(re.findall(r"^  (--[a-z-]+)", text, re.MULTILINE))


@pytest.mark.parametrize("command", WITH_SETTINGS)
def test_the_short_help_lists_common_settings_only_and_says_where_the_others_are(command):
    text = shown(command, "--help")
    settings = {option_name(name) for name in FIELDS}
    common = {option_name(name) for name, field in FIELDS.items() if about(field).common}
    assert listed(text) & settings == common
    assert "--help-all" in text
    assert "docs/settings.md" in text


def test_the_short_help_of_launch_is_half_of_the_full_one_at_most():
    short, full = shown("launch", "--help"), shown("launch", "--help-all")
    assert len(short.splitlines()) * 2 < len(full.splitlines())


def test_the_full_help_needs_no_argument_and_has_every_group_once():
    headings = re.findall(r"^(\w.*):$", shown("plan", "--help-all"), re.MULTILINE)
    assert [each for each in headings if each in list(Heading)] == list(Heading)


def test_every_command_is_listed_and_has_an_example():
    commands = {name for name in main.commands if name != "bench"}  # a group of commands
    text = shown("--help")
    for name in commands:
        assert re.search(rf"^  {name} ", text, re.MULTILINE), name
        assert f"Example: prisam {name} " in shown(name, "--help"), name


def test_the_old_name_of_the_control_run_is_refused_with_its_new_name():
    done = CliRunner().invoke(main, ["launch", "--twin"])
    assert done.exit_code == 2
    assert "'--control-run'" in done.output


@pytest.mark.parametrize("old", RENAMED)
def test_a_renamed_option_is_refused_with_its_new_name(old):
    done = CliRunner().invoke(main, ["launch", option_name(old), "1"])
    assert done.exit_code == 2
    assert option_name(RENAMED[old]) in done.output


@pytest.mark.parametrize("old", REMOVED)
def test_a_removed_option_is_refused_with_what_is_fixed(old):
    done = CliRunner().invoke(main, ["launch", option_name(old), "1"])
    assert done.exit_code == 2
    assert REMOVED[old] in done.output


def test_an_unknown_option_is_refused_as_ever():
    done = CliRunner().invoke(main, ["launch", "--roundz", "1"])
    assert done.exit_code == 2
    assert "--rounds" in done.output


def test_former_settings_are_none_now_and_new_names_are_settings():
    assert not (RENAMED.keys() | REMOVED.keys()) & FIELDS.keys()
    assert set(RENAMED.values()) <= FIELDS.keys()
