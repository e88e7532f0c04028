import os
import subprocess
import sys

from prisam_p2p.soak.leaks import Held, held


def test_nothing_has_leaked_where_nothing_is_new():
    before = held()
    assert held().leaked_since(before) == []


def test_an_open_file_is_told():
    before = held()
    reader, writer = os.pipe()
    try:
        (told,) = held().leaked_since(before)
    finally:
        os.close(reader)
        os.close(writer)
    assert told == f"descriptors: {before.descriptors + 2} after {before.descriptors}"


def test_a_process_that_is_left_is_told():
    before = held()
    wait_for_end_of_input = [sys.executable, "-c", "input()"]
    with subprocess.Popen(wait_for_end_of_input, stdin=subprocess.PIPE) as child:
        told = held().leaked_since(before)
        child.communicate(b"\n")
    assert f"processes: {child.pid}" in told


def test_namespaces_and_threads_are_told():
    before = Held(frozenset({1}), 3, 1, frozenset({"net:[1]"}))
    after = Held(frozenset({1}), 3, 2, frozenset({"net:[1]", "net:[2]"}))
    told = ["network namespaces: net:[2]", "threads: 2 after 1"]
    assert after.leaked_since(before) == told
    assert before.leaked_since(after) == []
