"""Knocks at ports as a stranger would: plain ZeroMQ, keys nobody knows, and bytes of no protocol.

    python stranger.py ADDRESS PORT[,KEY]..

KEY is the public key of who listens there, for a stranger that has learned it; most do not. For
each port it prints "refused" or "let in".
"""

import socket
import sys
from contextlib import suppress

import zmq

GARBAGE = (b"GET / HTTP/1.1\r\nHost: here\r\n\r\n", bytes(range(256)) * 64, b"\xff" * 10 + b"\x7f")
PATIENCE_MS = 2000


def main(address, targets):
    for target in targets:
        port, _, server_key = target.partition(",")
        is_let_in = [
            knock(address, port, None),
            knock(address, port, zmq.curve_keypair()[0]),
            bool(server_key) and knock(address, port, server_key.encode()),
            answer_to_garbage(address, int(port)),
        ]
        print("let in" if any(is_let_in) else "refused", address, port)


def knock(address, port, server_key):
    """Return whether a DEALER, with keys of its own or none, is let in or told anything."""
    context = zmq.Context()
    client = context.socket(zmq.DEALER)
    if server_key is not None:
        client.curve_publickey, client.curve_secretkey = zmq.curve_keypair()
        client.curve_serverkey = server_key
    monitor = client.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
    client.connect(f"tcp://{address}:{port}")
    client.send_multipart([b"hello", b"is somebody there?"])
    poller = zmq.Poller()
    poller.register(monitor, zmq.POLLIN)
    poller.register(client, zmq.POLLIN)
    is_let_in = bool(poller.poll(PATIENCE_MS / 2))
    client.disable_monitor()
    context.destroy(linger=0)
    return is_let_in


def answer_to_garbage(address, port):
    """Return whether more than ZMTP's greeting and the parts of a handshake comes back."""
    most = 0
    for garbage in GARBAGE:
        with socket.create_connection((address, port), timeout=PATIENCE_MS / 1000) as connection:
            told = b""
            with suppress(OSError):  # it is thrown out
                connection.sendall(garbage)
                connection.shutdown(socket.SHUT_WR)
                while received := connection.recv(4096):
                    told += received
            most = max(most, len(told))
    return most > 64


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
