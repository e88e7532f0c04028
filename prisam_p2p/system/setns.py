"""Move this process into namespaces, by descriptors of them. Light: a peer's first import.

Source: man 2 setns, man 2 unshare, man 7 user_namespaces. By ctypes: os.setns came with 3.12.
"""

from __future__ import annotations

import ctypes
import os

CLONE_NEWUSER, CLONE_NEWNET = 0x1000_0000, 0x4000_0000


def enter(net_fd: int, user_fd: int | None = None) -> None:
    """Make the network namespace of `net_fd` this process' own, for sockets made from now on.

    `user_fd` is the user namespace that owns it, where the launcher has no right to enter
    otherwise; ids of users stay what they were. The process must have one thread then, and no
    memory of its file system state shared.

    Raises:
        OSError: the kernel refused; EINVAL where there is a second thread.
    """
    if user_fd is not None:
        setns(user_fd, CLONE_NEWUSER)
    setns(net_fd, CLONE_NEWNET)


def setns(fd: int, kind: int) -> None:
    """See man 2 setns.

    Raises:
        OSError: the kernel refused.
    """
    _call("setns", fd, kind)


def unshare(kind: int) -> None:
    """See man 2 unshare.

    Raises:
        OSError: the kernel refused.
    """
    _call("unshare", kind)


def unshare_user() -> None:
    """Enter a new user namespace in which this user is who it was, with every right.

    Raises:
        OSError: the kernel, or what guards it, refused.
    """
    uid, gid = os.geteuid(), os.getegid()
    unshare(CLONE_NEWUSER)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _call(name: str, *arguments: int) -> None:
    function = getattr(ctypes.CDLL(None, use_errno=True), name)
    if function(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
