"""`prisam doctor --on local`: agents, probes and tables without another engine."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from prisam_p2p.cli import main


@pytest.mark.network
def test_the_hosts_of_this_machine_are_examined() -> None:
    result = CliRunner().invoke(main, ["doctor", "--on", "local", "--hosts", "2", "--format=json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert [each["name"] for each in told["hosts"]] == ["h1", "h2"]
    assert [(each["source"], each["target"]) for each in told["ways"]] == [
        ("h1", "h2"),
        ("h2", "h1"),
    ]
    assert all(each["mbit_s"] > 0 for each in told["ways"])


def test_a_number_of_hosts_needs_an_engine() -> None:
    result = CliRunner().invoke(main, ["doctor", "--hosts", "2"])
    assert result.exit_code == 2
    assert "--hosts is an option beside --on" in result.output
