"""`prisam check` finds what is wrong with an algorithm, and nothing wrong with a sound one."""

import json
from pathlib import Path

import pytest
from launching import prisam

pytestmark = [pytest.mark.network, pytest.mark.timeout(600)]

FEDAVG = Path(__file__).parents[2] / "examples" / "fedavg.py"
SOUND = {
    "it runs": "true",
    "its bytes are metered": "true",
    "two runs give the same result": "true",
    "missing peers are survived": "true",
    "an interrupted run comes to the same result": "true",
}

CARELESS = '''
"""It hands weights over behind the meter, expects everybody, and keeps state to itself."""

import socket
import time

from prisam_p2p.api import Peer, Traits, Weights, algorithm


def hand_over(me, weights):
    note = me.spec.run_dir / "port"
    if me.peer_id == "p00":
        with socket.create_server((me.spec.address, 0)) as server:
            (me.spec.run_dir / "port.part").write_text(f"{server.getsockname()[1]}")
            (me.spec.run_dir / "port.part").rename(note)
            with server.accept()[0] as line:
                while line.recv(65536):
                    pass
    elif me.peer_id == "p01":
        deadline = time.monotonic() + 20
        while not note.exists():
            if time.monotonic() > deadline:
                raise TimeoutError("p00 wrote no port")
            time.sleep(0.01)
        there = (me.spec.address.rpartition(".")[0] + ".1", int(note.read_text()))
        with socket.create_connection(there, source_address=(me.spec.address, 0)) as line:
            for array in weights.tensors.values():
                line.sendall(array.tobytes())


@algorithm(Traits(dense=True))
def careless(me: Peer) -> None:
    weights, first = me.begin()
    rounds_here = 0
    for t in me.rounds_from(first):
        trained = me.train(t, weights)
        me.offer(t, trained)
        me.evaluate(t, "after_training", trained)
        if t == 0:
            hand_over(me, trained)
        group = me.note_choice(t, me.neighbors, me.hear_of(t))
        pulled = me.pull(t, group, whole=True)
        everybody = {peer: pulled[peer] for peer in me.neighbors}
        average, union = me.average({me.peer_id: trained, **everybody})
        rounds_here += 1
        tensors = {n: a * (1 - 0.01 * rounds_here) if a.dtype.kind == "f" else a
                   for n, a in average.tensors.items()}
        weights = me.recalibrate(Weights(average.mask, tensors))
        me.note_aggregation(t, [me.peer_id, *pulled], union, weights)
        me.evaluate(t, "after_aggregation", weights)
        me.end_round(t, weights)
    me.deploy({"after_training": trained, "after_aggregation": weights})
'''

UNSEEDED = """
import numpy as np

from prisam_p2p.api import Peer, Traits, Weights, algorithm


@algorithm(Traits(dense=True, silent=True))
def unseeded(me: Peer) -> None:
    weights, first = me.begin()
    for t in me.rounds_from(first):
        trained = me.train(t, weights)
        noise = np.random.default_rng()
        tensors = {n: a + noise.normal(0, 0.01, a.shape).astype("f4") if a.dtype.kind == "f" else a
                   for n, a in trained.tensors.items()}
        weights = me.recalibrate(Weights(trained.mask, tensors))
        me.evaluate(t, "after_training", weights)
        me.end_round(t, weights)
    me.deploy({"after_training": weights})
"""


def checked(reference, *options):
    code, out = prisam("check", reference, "--format", "json", *options)
    shown, _, error = out.rpartition("}")
    found = json.loads(shown + "}")
    verdicts = {each["rule"]: each["verdict"] for each in found["findings"]}
    return code, verdicts, {each["rule"]: each["why"] for each in found["findings"]}, error


def test_a_sound_algorithm(tmp_path):
    code, verdicts, why, _ = checked(f"{FEDAVG}:fedavg", "--keep", tmp_path / "runs")
    assert (code, verdicts) == (0, SOUND), why
    kept = {path.name for path in (tmp_path / "runs").iterdir() if path.is_dir()}
    assert kept == {"first", "second", "with-faults", "resumed"}


def test_a_careless_one(tmp_path):
    (tmp_path / "mine.py").write_text(CARELESS)
    runs = tmp_path / "runs"
    code, verdicts, why, error = checked(f"{tmp_path}/mine.py:careless", "--keep", runs)
    assert (code, f"3 of 5 rules broken; see {runs}" in error) == (4, True)
    assert verdicts == {
        **SOUND,
        "its bytes are metered": "false",
        "missing peers are survived": "false",
        "an interrupted run comes to the same result": "false",
    }, why
    assert "1 connections of strangers" in why["its bytes are metered"]
    assert "KeyError: 'p03'" in why["missing peers are survived"]
    assert "me.memory" in why["an interrupted run comes to the same result"]


def test_one_that_draws_without_a_seed(tmp_path):
    (tmp_path / "mine.py").write_text(UNSEEDED)
    code, verdicts, why, _ = checked(f"{tmp_path}/mine.py:unseeded", "--keep", tmp_path / "runs")
    assert code == 4
    assert verdicts == {
        **SOUND,
        "its bytes are metered": "not judged",
        "two runs give the same result": "false",
        "missing peers are survived": "not judged",
        "an interrupted run comes to the same result": "not judged",
    }, why
    assert "me.draw" in why["two runs give the same result"]


def test_what_is_no_algorithm_is_refused(tmp_path):
    (tmp_path / "mine.py").write_text("def rounds(me): ...\n")
    code, out = prisam("check", f"{tmp_path}/mine.py:rounds")
    right = "a function with traits: @algorithm(Traits(..)) from prisam_p2p.api above it"
    assert (code, out) == (2, f"error: CODE = '{tmp_path}/mine.py:rounds': expected {right}\n")
