"""Each control message has a golden line, each rule of the decoder a line that it refuses."""

import json
from contextlib import suppress
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prisam_p2p.control.codec import decode_order, decode_report, encode
from prisam_p2p.control.message_rule import Rule
from prisam_p2p.control.messages import (
    AtBarrier,
    AttackActed,
    ConnectionsSettled,
    Exit,
    Fence,
    Fenced,
    LeaveBarrier,
    Order,
    PeerDone,
    ProcessUp,
    Ready,
    RemoveRule,
    Report,
    ResourceLost,
    ResumeTransfer,
    Roster,
    RosterEntry,
    RosterUpdate,
    RoundDone,
    RoundsBegun,
    RuleRemoved,
    SetRule,
    SettleConnections,
    StartRounds,
    StateLost,
    TrainedOnNewData,
    TransferHeld,
)
from prisam_p2p.errors import ControlError

P01 = RosterEntry("p01", "127.1.0.2", 40001)
P02 = RosterEntry("p02", "10.0.0.3", 40002, 2, "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7")
P01_JSON = '{"peer":"p01","address":"127.1.0.2","port":40001,"incarnation":0,"public_key":null}'
P02_JSON = (
    '{"peer":"p02","address":"10.0.0.3","port":40002,"incarnation":2,'
    '"public_key":"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"}'
)
RULE = Rule("f#0/out", "delay", "out", frozenset({"p02", "p01"}), "mask", 5.5, 0.0, 0.5, 3)
RULE_JSON = (
    '{"id":"f#0/out","action":"delay","direction":"out","neighbors":["p01","p02"],'
    '"message":"mask","delay_ms":5.5,"jitter_ms":0.0,"probability":0.5,"limit":3}'
)
DROP_JSON = (
    '{"id":"f#0","action":"drop","direction":"both","neighbors":null,'
    '"message":null,"delay_ms":0.0,"jitter_ms":0.0,"probability":1.0,"limit":null}'
)

ORDERS = [
    (Roster(4, (P01, P02)), f'"roster","version":4,"entries":[{P01_JSON},{P02_JSON}]'),
    (RosterUpdate(5, P02), f'"roster-update","version":5,"entry":{P02_JSON}'),
    (Fence("p01", 2), '"fence","peer":"p01","least_incarnation":2'),
    (StartRounds(), '"start-rounds"'),
    (LeaveBarrier(), '"leave-barrier"'),
    (ResumeTransfer((None, 0.5)), '"resume-transfer","stop":[null,0.5]'),
    (ResumeTransfer((3, 1.0)), '"resume-transfer","stop":[3,1.0]'),
    (SetRule(RULE), f'"set-rule","rule":{RULE_JSON}'),
    (SetRule(Rule("f#0", "drop")), f'"set-rule","rule":{DROP_JSON}'),
    (RemoveRule("f#0"), '"remove-rule","rule_id":"f#0"'),
    (
        SettleConnections(("p01", "p02"), 10.0),
        '"settle-connections","peers":["p01","p02"],"timeout_s":10.0',
    ),
    (Exit(), '"exit"'),
]
REPORTS = [
    (ProcessUp(40001), '"process-up","port":40001'),
    (Ready(), '"ready"'),
    (Fenced("p01", 2), '"fenced","peer":"p01","least_incarnation":2'),
    (RoundsBegun(0), '"rounds-begun","round_index":0'),
    (AtBarrier(2, "pull"), '"at-barrier","round_index":2,"phase":"pull"'),
    (
        TrainedOnNewData(6, "drift#0", 1, 32, 30),
        '"trained-on-new-data","round_index":6,"fault":"drift#0","group":1,"images":32,"new":30',
    ),
    (
        RoundDone(3, {"after_training": 0.25}, 1200),
        '"round-done","round_index":3,"accuracy":{"after_training":0.25},"bytes_out":1200',
    ),
    (StateLost(3, "No space"), '"state-lost","round_index":3,"reason":"No space"'),
    (
        ResourceLost("journal/p02.jsonl", "No space", "free space"),
        '"resource-lost","what":"journal/p02.jsonl","reason":"No space","to_do":"free space"',
    ),
    (TransferHeld((2, 0.5)), '"transfer-held","stop":[2,0.5]'),
    (RuleRemoved("f#0", 7), '"rule-removed","rule_id":"f#0","acted":7'),
    (AttackActed("f#0", 4), '"attack-acted","fault":"f#0","acted":4'),
    (ConnectionsSettled(True), '"connections-settled","complete":true'),
    (PeerDone("out-of-memory"), '"peer-done","state":"out-of-memory"'),
]


@pytest.mark.parametrize(("order", "text"), ORDERS)
def test_golden_orders(order, text):
    line = f'{{"v":1,"order":{text}}}\n'.encode()
    assert decode_order(line) == order
    assert encode(order) == line


@pytest.mark.parametrize(("report", "text"), REPORTS)
def test_golden_reports(report, text):
    line = f'{{"v":1,"report":{text}}}\n'.encode()
    assert decode_report(line) == report
    assert encode(report) == line


def test_every_message_has_a_golden_line():
    assert {type(order) for order, _ in ORDERS} == {*get_args(Order)}
    assert {type(report) for report, _ in REPORTS} == {*get_args(Report)}


# -- refusals ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "expected a JSON object, got ''"),
        (b"ready", "expected a JSON object, got 'ready'"),
        (b'{"v":1,', "expected a JSON object"),
        (b"\xff\xfe\x00", "expected a JSON object"),
        (b"[" * 100_000, "expected a JSON object"),
        (b'[1,"ready"]', "expected a JSON object"),
        (b'"ready"', "expected a JSON object"),
        (b'{"report":"ready"}', "control version None: expected 1"),
        (b'{"v":2,"report":"ready"}', "control version 2: expected 1"),
        (b'{"v":true,"report":"ready"}', "control version True: expected 1"),
        (b'{"v":1.0,"report":"ready"}', "control version 1.0: expected 1"),
        (b'{"v":1}', "no report in "),
        (b'{"v":1,"order":"exit"}', "no report in "),
        (b'{"v":1,"report":"exit"}', "report 'exit': expected one of at-barrier, attack-acted"),
        (b'{"v":1,"report":["ready"]}', r"report \['ready'\]: expected one of"),
    ],
)
def test_what_is_no_report_at_all(line, why):
    with pytest.raises(ControlError, match=why):
        decode_report(line)


def test_a_report_is_no_order():
    with pytest.raises(ControlError, match="no order in "):
        decode_order(encode(Ready()))


@pytest.mark.parametrize(
    ("name", "fields", "why"),
    [
        ("ready", {"port": 1}, "'ready', field port: unexpected keyword argument, got 1"),
        ("process-up", {}, "'process-up', field port: missing required argument|field required"),
        ("process-up", {"port": "7"}, "field port: input should be a valid integer, got '7'"),
        ("process-up", {"port": True}, "field port: input should be a valid integer"),
        ("process-up", {"port": 7.0}, "field port: input should be a valid integer"),
        ("process-up", {"port": -1}, "field port: .*greater than or equal to 0"),
        ("process-up", {"port": 65_536}, "field port: .*less than or equal to 65535"),
        ("fenced", {"peer": "p01"}, "field least_incarnation: "),
        ("rounds-begun", {"round_index": -1}, "field round_index: .*greater"),
        ("at-barrier", {"round_index": 0, "phase": "lunch"}, "field phase: .*'train'.*'lunch'"),
        ("round-done", {"round_index": 0, "accuracy": [], "bytes_out": 0}, "field accuracy: "),
        (
            "round-done",
            {"round_index": 0, "accuracy": {"a": "high"}, "bytes_out": 0},
            "field accuracy.a: input should be a valid number, got 'high'",
        ),
        (
            "round-done",
            {"round_index": 0, "accuracy": {"a": float("nan")}, "bytes_out": 0},
            "field accuracy.a: input should be a finite number",
        ),
        ("round-done", {"round_index": 0, "accuracy": {}, "bytes_out": -1}, "field bytes_out"),
        ("state-lost", {"round_index": 0, "reason": None}, "field reason: .*string, got None"),
        ("transfer-held", {"stop": [1]}, "field stop.1: "),
        ("transfer-held", {"stop": [1, 0.5, 2]}, "field stop: "),
        ("transfer-held", {"stop": [0.5, 0.5]}, "field stop.0: "),
        ("rule-removed", {"rule_id": 3, "acted": 0}, "field rule_id: .*string, got 3"),
        ("attack-acted", {"fault": "f#0", "acted": -4}, "field acted: .*greater"),
        ("connections-settled", {"complete": 1}, "field complete: .*boolean, got 1"),
        ("peer-done", {"state": "bored"}, "field state: .*'completed'.*'bored'"),
    ],
)
def test_a_report_with_a_wrong_field(name, fields, why):
    with pytest.raises(ControlError, match=why):
        decode_report(json.dumps({"v": 1, "report": name, **fields}).encode())


P01_FIELDS = json.loads(P01_JSON)
DROP = {"id": "x", "action": "drop"}


@pytest.mark.parametrize(
    ("name", "fields", "why"),
    [
        ("roster", {"version": -1, "entries": []}, "field version: "),
        ("roster", {"version": 0, "entries": {"p01": 1}}, "field entries: "),
        (
            "roster",
            {"version": 0, "entries": [P01_FIELDS, {**P01_FIELDS, "port": 0}]},
            "'roster', field entries.1.port: .*greater than or equal to 1",
        ),
        ("roster-update", {"version": 0, "entry": {**P01_FIELDS, "who": 1}}, "field entry.who: "),
        ("roster-update", {"version": 0, "entry": {"peer": "p01"}}, "field entry.address: "),
        ("fence", {"peer": "p01", "least_incarnation": -1}, "field least_incarnation: "),
        ("fence", {"peer": 1, "least_incarnation": 1}, "field peer: "),
        ("settle-connections", {"peers": "p01", "timeout_s": 1}, "field peers: "),
        ("settle-connections", {"peers": [], "timeout_s": -1}, "field timeout_s: "),
        ("settle-connections", {"peers": [], "timeout_s": float("inf")}, "field timeout_s: "),
        ("set-rule", {"rule": {**DROP, "id": ""}}, "field rule: .*needs an id"),
        ("set-rule", {"rule": {**DROP, "id": None}}, "field rule.id: "),
        ("set-rule", {"rule": {**DROP, "action": "lose"}}, "field rule.action: .*'lose'"),
        ("set-rule", {"rule": {**DROP, "action": None}}, "field rule.action: "),
        ("set-rule", {"rule": {**DROP, "direction": "up"}}, "field rule.direction: .*'up'"),
        ("set-rule", {"rule": {**DROP, "message": "hello"}}, "field rule.message: .*'hello'"),
        ("set-rule", {"rule": {**DROP, "neighbors": "b"}}, "field rule.neighbors: "),
        ("set-rule", {"rule": {**DROP, "neighbors": [1]}}, "field rule.neighbors.0: "),
        ("set-rule", {"rule": {**DROP, "probability": 0}}, "field rule: .*probability 0"),
        ("set-rule", {"rule": {**DROP, "probability": 1.5}}, "field rule: .*probability 1.5"),
        ("set-rule", {"rule": {**DROP, "probability": True}}, "field rule.probability: "),
        ("set-rule", {"rule": {**DROP, "limit": 0}}, "field rule: .*limit 0"),
        ("set-rule", {"rule": {**DROP, "limit": 1.0}}, "field rule.limit: "),
        ("set-rule", {"rule": {**DROP, "delay_ms": 5}}, "field rule: .*delay or jitter of .drop."),
        (
            "set-rule",
            {"rule": {**DROP, "action": "delay"}},
            "field rule: .*needs delay_ms or jitter_ms",
        ),
        (
            "set-rule",
            {"rule": {**DROP, "action": "delay", "delay_ms": -1}},
            "field rule: .*delay -1.0 ms",
        ),
        ("set-rule", {"rule": {**DROP, "delay_ms": float("inf")}}, "field rule.delay_ms: "),
        ("set-rule", {"rule": {**DROP, "jitter_ms": "5"}}, "field rule.jitter_ms: "),
        ("set-rule", {"rule": {**DROP, "rate": 5}}, "field rule.rate: unexpected"),
    ],
)
def test_an_order_with_a_wrong_field(name, fields, why):
    with pytest.raises(ControlError, match=why):
        decode_order(json.dumps({"v": 1, "order": name, **fields}).encode())


def test_fields_with_defaults_may_be_left_out():
    given = {"v": 1, "order": "set-rule", "rule": {"id": "x", "action": "hold"}}
    assert decode_order(json.dumps(given).encode()) == SetRule(Rule("x", "hold"))


def test_a_refusal_is_one_short_line():
    with pytest.raises(ControlError) as refusal:
        decode_report(b'{"v":1,"report":"process-up","port":"' + b"x" * 10_000 + b'\\n"}')
    text = str(refusal.value)
    assert (len(text) < 200, "\n" in text) == (True, False)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


@given(st.binary(max_size=40) | st.dictionaries(st.text(max_size=9), json_values).map(
    lambda fields: json.dumps({"v": 1, "report": "round-done", **fields}).encode()
))  # fmt: skip
def test_noise_raises_control_error_and_nothing_else(line):
    for decode in (decode_order, decode_report):
        with suppress(ControlError):
            decode(line)
