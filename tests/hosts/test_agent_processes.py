"""Agents as children: their first line, their end by the end of their input, and why they ended."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from prisam_p2p.hosts.engines.agent_processes import AgentProcesses, hello_of
from prisam_p2p.hosts.engines.interface import AgentHello

T = TypeVar("T")

_GREETS = """
import json, sys
print(json.dumps({"host": "h1", "public_key": "K"}), flush=True)
sys.stdin.read()
"""
_FAILS = """
import sys
print("no disk", file=sys.stderr)
sys.exit(6)
"""
_PRINTS = """
import sys
print("hello", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def agents() -> Iterator[AgentProcesses]:
    started = AgentProcesses()
    yield started
    started.end(5.0)


def _start(agents: AgentProcesses, code: str) -> None:
    agents.start("h1", [sys.executable, "-c", code], os.environ)


def _first(ask: Callable[[], list[T]]) -> list[T]:
    """Return the first answer that is not empty."""
    deadline_s = time.monotonic() + 20.0
    while time.monotonic() < deadline_s:
        if found := ask():
            return found
    raise AssertionError("no answer in 20 s")


def test_an_agent_is_heard_once(agents: AgentProcesses) -> None:
    _start(agents, _GREETS)
    assert _first(agents.hellos) == [AgentHello("h1", "K")]
    assert agents.hellos() == []
    assert agents.lost() == []


def test_the_end_of_its_input_ends_an_agent_and_that_is_no_loss(agents: AgentProcesses) -> None:
    _start(agents, _GREETS)
    _first(agents.hellos)
    agents.end(20.0)
    assert agents.lost() == []


def test_a_loss_says_how_the_agent_ended_and_what_it_said(agents: AgentProcesses) -> None:
    _start(agents, _FAILS)
    assert _first(agents.lost) == [("h1", "the agent ended with exit code 6: no disk")]
    assert agents.lost() == []


def test_an_agent_that_greets_in_another_way_is_ended_and_lost(agents: AgentProcesses) -> None:
    _start(agents, _PRINTS)
    deadline_s = time.monotonic() + 20.0
    while not (lost := agents.lost()) and time.monotonic() < deadline_s:
        assert agents.hellos() == []
    assert lost == [("h1", "its first line is no greeting of an agent: 'hello'")]


@pytest.mark.parametrize("line", ["", "[]", "{}", '{"host": "h1"}', "5", "null"])
def test_what_is_no_greeting_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="no greeting"):
        hello_of("h1", line)
