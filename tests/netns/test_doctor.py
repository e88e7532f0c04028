import json

import pytest
from click.testing import CliRunner
from rich.console import Console

from prisam_p2p.cli import main
from prisam_p2p.errors import ConfigError
from prisam_p2p.netns import doctor
from prisam_p2p.netns.doctor import Choice, Probe, choose


def found(*missing):
    return {
        what: Probe(what, what not in missing, f"no {what}" if what in missing else "", "much")
        for what in (*doctor.NEEDED, "netem", "NFQUEUE")
    }


@pytest.mark.parametrize(
    ("missing", "asked", "choice"),
    [
        ((), "auto", Choice("namespaces", "all that it needs is here")),
        ((), "namespaces", Choice("namespaces", "asked for")),
        ((), "loopback", Choice("loopback", "asked for")),
        (("veth",), "loopback", Choice("loopback", "asked for")),
        (("netem", "NFQUEUE"), "auto", Choice("namespaces", "all that it needs is here")),
        (("veth",), "auto", Choice("loopback", "namespaces lack veth: no veth")),
    ],
)
def test_the_choice(missing, asked, choice):
    assert choose(found(*missing), asked) == choice


@pytest.mark.parametrize("what", doctor.NEEDED)
def test_namespaces_that_cannot_be_had_are_wrong_input(what):
    with pytest.raises(ConfigError, match=f"expected loopback or auto here: {what}: no {what}"):
        choose(found(what), "namespaces")


@pytest.mark.parametrize(
    "measured", [[], [{"what": "loss", "asked": 0.1, "achieved": 0.1, "why_not": ""}]]
)
def test_links_that_were_not_measured_are_not_judged(measured):
    console = Console(record=True, width=100)
    network = {"network": "loopback", "reason": "no veth"}
    doctor.print_findings(console, {"probes": [], "measured": measured, "network": network})
    assert ("links in namespaces: not judged" in console.export_text()) == (not measured)


@pytest.mark.network
def test_the_command_tells_all_of_it():
    result = CliRunner().invoke(main, ["doctor", "--format", "json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert {"user namespaces", "netem", "sock_diag", "tshark"} <= {
        p["what"] for p in told["probes"]
    }
    assert all(p["detail"] for p in told["probes"] if not p["available"])
    assert told["network"]["network"] in ("namespaces", "loopback")
    assert bool(told["measured"]) == (told["network"]["network"] == "namespaces")


@pytest.mark.network
def test_the_table_has_a_row_for_each():
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 0, result.output
    assert all(each in result.stdout for each in (*doctor.NEEDED, "--network auto is"))
