"""The holder process: it makes the namespaces, keeps them alive and changes their links.

    python -m prisam_p2p.netns.holder DESCRIPTOR

It receives orders as JSON lines over DESCRIPTOR (namespaces.py sends them) and dies with the
launcher. It has one thread, which stays in the peer's namespace that it entered last.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from pyroute2.netlink.exceptions import NetlinkError

from prisam_p2p.netns.bridge import Endpoint, PeerNamespace, build, enter_namespace
from prisam_p2p.netns.interface import Tunnel
from prisam_p2p.netns.link_controller import LinkController
from prisam_p2p.netns.netlink import SOCK_DIAG
from prisam_p2p.system import sock_diag
from prisam_p2p.system.isolated import error_text
from prisam_p2p.system.json_lines import JsonLines, write_line
from prisam_p2p.system.process_limits import allow_many_files, die_with_parent
from prisam_p2p.system.setns import CLONE_NEWNET, unshare, unshare_user


def main(line: socket.socket) -> None:
    """Obey orders until the launcher closes the line."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the launcher handles Ctrl-C
    allow_many_files()
    orders, links = JsonLines(line), None
    while (received := orders.receive()) is not None:
        for order in received:
            try:
                if "build" in order:
                    links = _build(line, order["build"])
                elif links:
                    write_line(line, links.obey(order))
            except (OSError, ValueError, NetlinkError) as error:
                write_line(line, {"failed": error_text(error)})


def _build(line: socket.socket, order: dict[str, Any]) -> LinkController:
    tunnel = Tunnel(**order["tunnel"]) if order["tunnel"] else None
    # A user namespace's rights end at its own networks: a tunnel leads out of them.
    user_fd = None if tunnel else _enter_user_namespace(order["own_user"])
    endpoints, addresses = [Endpoint(*each) for each in order["peers"]], order["addresses"]
    bridge, namespaces = build(endpoints, order["congestions"], len(addresses), tunnel)
    here = {each.index: made for each, made in zip(endpoints, namespaces, strict=True)}
    links = LinkController(here, addresses, bridge.netem)
    for namespace in namespaces:
        _hand_over(line, namespace)
    descriptors = () if user_fd is None else (user_fd,)
    facts = {"congestion": bridge.congestion, "delay_by": links.delay_by}
    write_line(line, {"built": facts}, descriptors)
    return links


def _enter_user_namespace(always: bool) -> int | None:
    """Enter a new user namespace and return its descriptor.

    Without `always`, return None where this process may make network namespaces anyway, as root.

    Raises:
        OSError: the kernel refused.
    """
    if not always:
        with suppress(PermissionError):
            unshare(CLONE_NEWNET)
            return None
    unshare_user()
    return os.open("/proc/self/ns/user", os.O_RDONLY)


def _hand_over(line: socket.socket, namespace: PeerNamespace) -> None:
    """Send the descriptors of a namespace and of sock_diag sockets in it."""
    enter_namespace(namespace)
    sockets, reason = [], ""
    try:
        sockets = list(_diag_sockets())
    except (OSError, ValueError) as error:
        reason = str(error)
    descriptors = (namespace.net_fd, *(each.fileno() for each in sockets))
    write_line(line, {"namespace": namespace.address, "no_sock_diag": reason}, descriptors)
    for each in sockets:
        each.close()


def _diag_sockets() -> Iterator[socket.socket]:
    yield sock_diag.listen()
    yield socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, SOCK_DIAG)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
