import json

import pytest
from click.testing import CliRunner

from prisam_p2p.cli import main
from prisam_p2p.netns.capabilities import NEEDED
from prisam_p2p.netns.doctor import print_findings


@pytest.mark.parametrize(
    "measured", [[], [{"what": "loss", "asked": 0.1, "achieved": 0.1, "why_not": ""}]]
)
def test_the_output_says_where_links_were_not_measured(measured, capsys):
    network = {"network": "loopback", "reason": "no veth"}
    print_findings({"probes": [], "measured": measured, "network": network})
    assert ("links in namespaces: not measured" in capsys.readouterr().out) == (not measured)


@pytest.mark.network
def test_json_holds_the_probes_the_choice_and_the_measurements():
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
def test_the_table_has_a_row_for_each_capability():
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 0, result.output
    assert all(each in result.stdout for each in (*NEEDED, "--network auto is"))
