"""Ray's end of the launcher: a process of its own, as Ray's driver has threads and prints.

    python -m prisam_p2p.hosts.engines.ray_driver DESCRIPTOR

It takes orders as JSON lines over DESCRIPTOR from ray_engine.py, and ends with the launcher. Its
end ends the placement group, the actors in it and so the agents.

    {"connect": ADDRESS}                           -> {"nodes": [..], "address": ..}
    {"start": {"hosts", "arguments", "timeout_s"}} -> {"started": true}, and later
                                                      {"hello": [host, line]}, {"lost": [host, why]}
    {"end": true}                                  -> {"ended": true}

The answer to an order that Ray does not obey is {"failed": WHY}.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

import ray
from ray._private.state import available_resources_per_node
from ray.exceptions import ActorUnavailableError, RayError
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from prisam_p2p.hosts.engines import ray_actor
from prisam_p2p.hosts.engines.ray_nodes import bundle, why_not_placed
from prisam_p2p.plan.placement import HostOffer
from prisam_p2p.shipped import CODE_ROOT
from prisam_p2p.system.json_lines import JsonLines, write_line
from prisam_p2p.system.process_limits import die_with_parent
from prisam_p2p.system.side_thread import SideThread

_TICK_S = 0.2
_END_S = 3.0
_PROBE_S = 3.0
_LEAVE_AFTER_S = 2.0
_PLACE_TURN_S = 1.0

AGENT = "prisam_p2p.hosts.agent"


def main(line: socket.socket) -> None:
    """Obey orders, and tell what becomes of the agents, until the launcher closes the line."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the launcher handles Ctrl-C
    SideThread(lambda: _exit_with(line), "launcher").start()
    orders = JsonLines(line)
    agents = _Agents(line, orders.waiting)
    while True:
        agents.look()
        if not orders.waiting(0.0 if agents.are_there else _TICK_S):
            continue
        for order in orders.receive() or ():
            try:
                write_line(line, _obey(order, agents))
            except (RayError, OSError, ValueError, RuntimeError) as error:
                write_line(line, {"failed": _in_one_line(error)})
            if "end" in order:
                return


def _obey(order: dict[str, Any], agents: _Agents) -> dict[str, Any]:
    match order:
        case {"connect": str(address)}:
            return _connect(address)
        case {"start": {"hosts": hosts, "arguments": arguments, "timeout_s": timeout_s}}:
            agents.start([HostOffer(**each) for each in hosts], arguments, timeout_s)
            return {"started": True}
        case {"end": _}:
            agents.end()
            return {"ended": True}
    raise ValueError(f"no such order: {order}")


def _connect(address: str) -> dict[str, Any]:
    """Be in the cluster; return its nodes, and the address of the one that this process is on."""
    if not ray.is_initialized():
        _join(address)
    free = available_resources_per_node()
    nodes = [
        {
            "node": each["NodeManagerHostname"],
            "address": each["NodeManagerAddress"],
            "free": free.get(each["NodeID"], {}),
        }
        for each in ray.nodes()
        if each["Alive"]
    ]
    return {"nodes": nodes, "address": ray.util.get_node_ip_address()}


def _join(address: str) -> None:
    if address != "auto":  # Ray itself tries for 40 s
        host, _, port = address.rpartition(":")
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PROBE_S).close()
    ray.init(address=address, log_to_driver=False, logging_level="ERROR")


class _Agents:
    """The actors that keep the agents, and what is awaited of each.

    Args:
        line: where hellos and losses are told.
        is_asked: tells whether another order has come.
    """

    def __init__(self, line: socket.socket, is_asked: Callable[[], bool]) -> None:
        self._line, self._is_asked = line, is_asked
        self._group: PlacementGroup | None = None
        self._actors: dict[str, Any] = {}
        self._awaited: dict[Any, tuple[str, str]] = {}

    @property
    def are_there(self) -> bool:
        """Whether something is awaited of an agent."""
        return bool(self._awaited)

    def start(self, hosts: list[HostOffer], arguments: list[str], timeout_s: float) -> None:
        """Have a host each reserved, and an actor start the agent there.

        Raises:
            RuntimeError: Ray did not reserve them in time; says what is missing.
        """
        ray.cloudpickle.register_pickle_by_value(ray_actor)
        self._group = placement_group([bundle(each) for each in hosts], strategy="STRICT_SPREAD")
        deadline_s = time.monotonic() + timeout_s
        while not self._group.wait(_PLACE_TURN_S):
            if time.monotonic() > deadline_s or self._is_asked():
                raise RuntimeError(f"within {timeout_s:g} s {why_not_placed(hosts, _free())}")
        keeper = ray.remote(ray_actor.AgentKeeper)
        for index, host in enumerate(hosts):
            actor = keeper.options(
                num_cpus=host.cores,
                num_gpus=host.gpus,
                memory=host.memory_mib * 2**20,
                max_restarts=0,
                max_concurrency=3,  # start, wait and end
                scheduling_strategy=PlacementGroupSchedulingStrategy(self._group, index),
            ).remote()
            self._actors[host.name] = actor
            command = [AGENT, "--host", host.name, *arguments]
            hello = actor.start.remote(command, str(CODE_ROOT), host.gpus)
            self._awaited[hello] = (host.name, "hello")

    def look(self) -> None:
        """Wait a moment for what is awaited, and tell it."""
        if not self._awaited:
            return
        done, _ = ray.wait(list(self._awaited), num_returns=1, timeout=_TICK_S)
        for each in done:
            host, what = self._awaited.pop(each)
            try:
                result = ray.get(each)
            except ActorUnavailableError:
                time.sleep(_TICK_S)  # the network is cut, and the actor may live
                self._await_end(host)
            except RayError as error:
                write_line(self._line, {"lost": [host, _in_one_line(error)]})
            else:
                self._tell(host, what, result)

    def _tell(self, host: str, what: str, result: Any) -> None:
        if what == "hello":
            if result:
                write_line(self._line, {"hello": [host, result]})
            self._await_end(host)
            return
        code, last_lines = result
        why = f"the agent ended with exit code {code}"
        write_line(self._line, {"lost": [host, f"{why}: {last_lines}" if last_lines else why]})

    def _await_end(self, host: str) -> None:
        self._awaited[self._actors[host].wait.remote(_LEAVE_AFTER_S)] = (host, "end")

    def end(self) -> None:
        """End the agents that can be reached, and free the hosts."""
        self._awaited.clear()
        ends = [actor.end.remote(_END_S) for actor in self._actors.values()]
        if ends:
            ray.wait(ends, num_returns=len(ends), timeout=_END_S + 1.0)
        for actor in self._actors.values():
            ray.kill(actor)
        self._actors.clear()
        if self._group is not None:
            remove_placement_group(self._group)


def _free() -> dict[str, dict[str, float]]:
    """Return address -> what is free there."""
    free = available_resources_per_node()
    alive = [each for each in ray.nodes() if each["Alive"]]
    return {each["NodeManagerAddress"]: free.get(each["NodeID"], {}) for each in alive}


def _in_one_line(error: Exception) -> str:
    """Return what an error says; of one about an actor, only why that died."""
    text = " ".join(str(error).split())
    _, why, rest = text.partition("The actor died because ")
    return why + rest or text or type(error).__name__


def _exit_with(line: socket.socket) -> None:
    """End this process, whatever Ray does, when the launcher has closed the line."""
    poll = select.poll()
    poll.register(line, select.POLLRDHUP)
    poll.poll()
    os._exit(0)


if __name__ == "__main__":
    given = socket.socket(fileno=int(sys.argv[1]))
    given.set_inheritable(False)
    main(given)
