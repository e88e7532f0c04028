"""The process that makes the namespaces, holds them and changes their links by order.

    python -m prisam_p2p.netns.holder DESCRIPTOR

It talks JSON lines over DESCRIPTOR with `namespaces`, where the orders stand, and dies with the
launcher. It has one thread and is in some peer's namespace, whichever was last.
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

from prisam_p2p.netns.building import Place, Wanted, build, enter_place
from prisam_p2p.netns.link_table import Links
from prisam_p2p.netns.netlink import SOCK_DIAG
from prisam_p2p.system import sock_diag
from prisam_p2p.system.isolated import said
from prisam_p2p.system.json_lines import JsonLines, write_line
from prisam_p2p.system.process_limits import allow_many_files, die_with_parent
from prisam_p2p.system.setns import CLONE_NEWNET, unshare, unshare_user


def main(line: socket.socket) -> None:
    """Obey until the launcher closes the line."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the launcher's to handle
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
                write_line(line, {"failed": said(error)})


def _build(line: socket.socket, order: dict[str, Any]) -> Links:
    user_fd = _own_user_namespace(order["own_user"])
    hub, places = build([Wanted(*each) for each in order["peers"]], order["congestions"])
    links = Links(places, hub.netem)
    for place in places:
        _hand_over(line, place)
    descriptors = () if user_fd is None else (user_fd,)
    facts = {"congestion": hub.congestion, "delay_by": links.delay_by}
    write_line(line, {"built": facts}, descriptors)
    return links


def _own_user_namespace(always: bool) -> int | None:
    """Enter a new one, and return it; None where this process has the right without, as root has.

    Raises:
        OSError: the kernel refused.
    """
    if not always:
        with suppress(PermissionError):
            unshare(CLONE_NEWNET)
            return None
    unshare_user()
    return os.open("/proc/self/ns/user", os.O_RDONLY)


def _hand_over(line: socket.socket, place: Place) -> None:
    """Send the descriptors of a namespace, and of sockets in it that tell of its connections."""
    enter_place(place)
    sockets, reason = [], ""
    try:
        sockets = list(_diag_sockets())
    except (OSError, ValueError) as error:
        reason = str(error)
    descriptors = (place.net_fd, *(each.fileno() for each in sockets))
    write_line(line, {"place": place.address, "unwatched": reason}, descriptors)
    for each in sockets:
        each.close()


def _diag_sockets() -> Iterator[socket.socket]:
    yield sock_diag.listen()
    yield socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, SOCK_DIAG)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
