"""What others would have sent, by hand."""

import pytest
from hand_runs import CHUNK, HandRun, announced, orderly

from prisam_p2p.report.comparisons import compare_protocols, transfer
from prisam_p2p.report.ledger import make_ledger


def test_a_transfer_by_hand():
    """100 B: header 22, framing 2 + 2, in a segment of 66 B with an ACK of 66 B."""
    assert (transfer(100, CHUNK).payload, transfer(100, CHUNK).wire) == (100, 100 + 22 + 4 + 132)


def test_a_transfer_in_chunks():
    """600,000 B: offsets 0, 262,144 and 524,288 make headers of 22, 26 and 26 (msgpack)."""
    stream = 600_000 + (22 + 26 + 26) + 3 * (2 + 9)
    segments = -(-stream // 1448)
    sent = transfer(600_000, CHUNK)
    assert sent.wire == stream + 66 * (segments + -(-segments // 2))


def test_other_protocols(tmp_path):
    run = announced(orderly()).write(tmp_path)
    ledger = make_ledger(run)
    compared = compare_protocols(run, ledger)
    push, exact = compared["push_everything"], compared["exact_similarity"]
    assert push["payload"] == 2 * 300_000 + 200_000
    assert push["wire"] == 2 * transfer(300_000, CHUNK).wire + transfer(200_000, CHUNK).wire
    assert push["times_payload"] == pytest.approx(800_000 / 300_132, abs=1e-4)
    assert exact["payload"] == 3 * 600_000
    assert exact["times_payload"] == pytest.approx(1_800_000 / 132, abs=1e-4)
    assert exact["wire"] == 3 * transfer(600_000, CHUNK).wire
    assert compared["this_run"]["wire"] == sum(r.wire for r in ledger.rows)


def test_discovery_ratios(tmp_path):
    run = orderly().write(tmp_path)
    ledger = make_ledger(run)
    discovery = compare_protocols(run, ledger)["discovery"]
    wire = sum(r.wire for r in ledger.rows if r.kind == "mask")
    assert (discovery["masks"], discovery["mean_mask_payload"]) == (3, 44)
    assert discovery["payload_ratio"] == pytest.approx(600_000 / 44, abs=1e-4)
    assert discovery["mean_mask_wire"] == pytest.approx(wire / 3, abs=1e-4)
    assert discovery["wire_ratio"] == pytest.approx(transfer(600_000, CHUNK).wire * 3 / wire)


def test_without_masks_there_are_no_ratios(tmp_path):
    run = HandRun().write(tmp_path)
    compared = compare_protocols(run, make_ledger(run))
    assert compared["discovery"]["payload_ratio"] is None
    assert compared["exact_similarity"]["times_wire"] is None
    assert compared["push_everything"] == {
        "payload": 0,
        "wire": 0,
        "times_payload": None,
        "times_wire": None,
    }
