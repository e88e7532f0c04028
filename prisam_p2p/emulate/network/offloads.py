"""Switch off what makes an interface carry packets larger than its MTU.

Such packets would be counted, lost and delayed as one. Source: include/uapi/linux/ethtool.h.
"""

from __future__ import annotations

import array
import fcntl
import socket
import struct

_SIOCETHTOOL = 0x8946
_SET = {"tso": 0x1F, "gso": 0x24, "gro": 0x2C}  # ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO


def switch_off_offloads(control: socket.socket, interface: str) -> None:
    """Switch off TSO, GSO and GRO of `interface`, in the network namespace of `control`.

    Raises:
        OSError: the kernel refused.
    """
    for command in _SET.values():
        value = array.array("I", [command, 0])  # struct ethtool_value
        address, _ = value.buffer_info()
        request = struct.pack("16sP16x", interface.encode(), address)  # struct ifreq
        fcntl.ioctl(control, _SIOCETHTOOL, request)
