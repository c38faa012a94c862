"""The ClamAV daemon at CLAMAV_ADDR, asked about a file by its INSTREAM (clamd(8))."""

import socket
import struct
from contextlib import suppress
from typing import IO, Any

from django.conf import settings

from helpdesk import deadline

SECONDS, CONNECT_SECONDS = 20.0, 3.0  # for all of a file; and for reaching the daemon
BLOCK = 65536
LONGEST_ANSWER = 4096


class ScannerAway(OSError):
    """The virus scanner does not answer: our fault, so the sender is to try again."""


class CannotScan(ScannerAway):
    """It answers that it can't tell of this file, in its own words."""


def is_on() -> bool:
    return settings.CLAMAV_ADDR is not None


def scan(file: IO[bytes]) -> str:
    """The name of the signature that the file bears, or "". Raises CannotScan, ScannerAway, and
    what reading the file raises."""
    assert settings.CLAMAV_ADDR is not None
    host, port = settings.CLAMAV_ADDR
    try:
        with deadline.within(SECONDS), deadline.connect(host, port, CONNECT_SECONDS) as daemon:
            daemon.settimeout(SECONDS)
            answer = _ask(daemon, file)
    except (OSError, deadline.TooLate) as error:
        raise ScannerAway(f"CLAMAV_ADDR: {error or type(error).__name__}") from error
    if answer.endswith(" FOUND"):
        return answer.removeprefix("stream: ").removesuffix(" FOUND")[:200]
    if not answer:
        raise ScannerAway("CLAMAV_ADDR: it hung up")
    if not answer.endswith(" OK"):
        raise CannotScan(f"CLAMAV_ADDR: {answer}")
    return ""


def _ask(daemon: socket.socket, file: IO[Any]) -> str:
    with suppress(
        BrokenPipeError, ConnectionResetError
    ):  # of a file that is too large it says so, and hangs up
        daemon.sendall(b"zINSTREAM\0")
        while block := file.read(BLOCK):
            daemon.sendall(struct.pack("!L", len(block)) + block)
        daemon.sendall(struct.pack("!L", 0))
    answer = b""
    while (
        b"\0" not in answer
        and len(answer) < LONGEST_ANSWER
        and (piece := daemon.recv(LONGEST_ANSWER))
    ):
        answer += piece
    return answer.partition(b"\0")[0].decode("utf-8", "replace").strip()
