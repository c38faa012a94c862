"""A mail server that takes everything and keeps nothing: `python -m benchmarks.sink PORT`."""

import socket
import sys


def serve(port: int) -> None:
    """Takes whatever comes, of one client at a time, several commands at once (RFC 2920)."""
    with socket.create_server(("127.0.0.1", port)) as listening:
        while True:
            connection, _ = listening.accept()
            with connection:
                _converse(connection)


def _converse(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(b"220 sink\r\n")
    lines = connection.makefile("rb", buffering=65536)
    for line in lines:
        command = line[:4].upper()
        if command == b"EHLO":
            connection.sendall(b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
        elif command == b"DATA":
            connection.sendall(b"354 go\r\n")
            while lines.readline() not in {b".\r\n", b""}:
                pass
            connection.sendall(b"250 OK\r\n")
        elif command == b"QUIT":
            connection.sendall(b"221 bye\r\n")
            return
        else:
            connection.sendall(b"250 OK\r\n")


if __name__ == "__main__":
    serve(int(sys.argv[1]))
