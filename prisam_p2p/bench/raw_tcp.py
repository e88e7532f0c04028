"""What a pull is compared with: the same bytes by sendall and recv_into, between two processes."""

from __future__ import annotations

import json
import socket
import sys
import time


def fetch(endpoint: tuple[str, int], n_bytes: int) -> float:
    """Return the seconds from the request until the bytes are in newly allocated memory."""
    with socket.create_connection(endpoint, timeout=60) as connection:
        began, have = time.perf_counter(), 0
        connection.sendall(b"?")
        view = memoryview(bytearray(n_bytes))  # a pull needs new memory too
        while have < n_bytes:
            n = connection.recv_into(view[have:])
            if n == 0:
                raise ConnectionError(f"{have} of {n_bytes} bytes came")
            have += n
        return time.perf_counter() - began


def main(address: str, n_bytes: int) -> None:
    """Serve `n_bytes` to each connection, until the input ends."""
    data = bytes(n_bytes)
    with socket.create_server((address, 0)) as server:
        print(json.dumps({"port": server.getsockname()[1]}), flush=True)
        while sys.stdin.readline():  # a line for each that will come
            connection, _ = server.accept()
            with connection:
                connection.recv(1)
                connection.sendall(data)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
