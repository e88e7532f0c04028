"""Move this process into namespaces, given by descriptors.

A peer imports this module first, so it imports little itself. It uses ctypes because os.setns
exists from Python 3.12 on. Source: man 2 setns, man 2 unshare, man 7 user_namespaces.
"""

from __future__ import annotations

import ctypes
import os

CLONE_NEWUSER, CLONE_NEWNET = 0x1000_0000, 0x4000_0000


def enter(net_fd: int, user_fd: int | None = None) -> None:
    """Enter the network namespace of `net_fd`; sockets made from now on belong to it.

    Args:
        user_fd: the user namespace that owns it, if this process may not enter it otherwise. User
            ids stay the same. This needs a process with one thread.

    Raises:
        OSError: the kernel refused; EINVAL if the process has a second thread.
    """
    if user_fd is not None:
        setns(user_fd, CLONE_NEWUSER)
    setns(net_fd, CLONE_NEWNET)


def setns(fd: int, kind: int) -> None:
    """Call setns(2).

    Args:
        kind: CLONE_NEWUSER or CLONE_NEWNET.

    Raises:
        OSError: the kernel refused.
    """
    _call("setns", fd, kind)


def unshare(kind: int) -> None:
    """Call unshare(2).

    Args:
        kind: CLONE_NEWUSER or CLONE_NEWNET.

    Raises:
        OSError: the kernel refused.
    """
    _call("unshare", kind)


def unshare_user() -> None:
    """Enter a new user namespace in which this user keeps its id and has all capabilities.

    Raises:
        OSError: the kernel or a security module refused.
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
