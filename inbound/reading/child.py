"""A process that reads mail for another one: `python -m inbound.reading.child`, asked through its
standard input.

A question is a frame of JSON and a mail's bytes; an answer is a frame of JSON and the attachments'
bytes. What a stranger has written can at the worst end this process, after its time or its memory:
whoever asked goes on.
"""

import json
import os
import resource
import signal
import struct
import sys
from contextlib import suppress
from dataclasses import asdict
from typing import Any, BinaryIO

from inbound.reading import ours, received
from inbound.reading.lines import with_line_ends
from inbound.reading.message import Envelope
from inbound.reading.packing import pack
from inbound.reading.reading import read
from inbound.reading.signatures import check

MEMORY = 1_000_000_000  # bytes of addresses: several times what a mail of 25 MB needs
HEADER = struct.Struct(">I")


def main() -> None:
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no answer
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # a Ctrl-C is for whoever asks; our end is the end of our input
    with suppress(ValueError, OSError):  # macOS knows no limit of addresses
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while (question := read_frame(questions)) is not None:
        asked = json.loads(question)
        raw = questions.read(asked["size"])
        # Whoever asked ends us at the deadline; where they are gone themselves, the kernel does.
        signal.setitimer(signal.ITIMER_REAL, asked["seconds"] + 5)
        said, files = answer(asked, raw)
        signal.setitimer(signal.ITIMER_REAL, 0)
        write(answers, said | {"sizes": [len(file) for file in files]}, files)
        if said.get("error", "").startswith("MemoryError"):
            return


def answer(asked: dict[str, Any], raw: bytes) -> tuple[dict[str, Any], list[bytes]]:
    try:
        if asked["what"] == "hops":
            return {"hops": received.hops(raw)}, []
        if asked["what"] == "check":
            keys = {
                name: None if key is None else key.encode("latin-1")
                for name, key in asked["keys"].items()
            }
            return {"checked": asdict(check(raw, keys))}, []
        if asked["what"] == "links":
            return {"links": ours.links([with_line_ends(raw)])}, []
        reading = read(
            raw, Envelope(asked["mail_from"], tuple(asked["rcpt_tos"])), frozenset(asked["ours"])
        )
        said, files = pack(reading)
        return {"reading": said}, files
    except Exception as error:  # whatever it is: it is the mail's, and whoever asked is told
        return {"error": f"{type(error).__name__}: {error}"[:500]}, []


def read_frame(source: BinaryIO) -> bytes | None:
    """None at the end."""
    header = source.read(HEADER.size)
    return source.read(HEADER.unpack(header)[0]) if len(header) == HEADER.size else None


def write(target: BinaryIO, said: dict[str, Any], files: list[bytes]) -> None:
    frame = json.dumps(said).encode()
    target.write(HEADER.pack(len(frame)))
    target.write(frame)
    for file in files:
        target.write(file)
    target.flush()


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        sys.exit(0)
