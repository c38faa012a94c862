"""One process that reads mail for us: it is asked over a pipe, and answers within its time or is
ended."""

import json
import os
import selectors
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from inbound.reading.child import HEADER

STARTING = 10.0  # more for the first mail of a reader, which imports its libraries first
CHUNK = 1 << 16
# GNU's allocator would keep what a large mail took.
MEMORY = {"MALLOC_MMAP_THRESHOLD_": "262144", "MALLOC_ARENA_MAX": "1"}
ROOT = Path(__file__).resolve().parents[1]


class Unreadable(Exception):
    """The mail's own fault: reading it raised."""


class TooMuch(Unreadable):
    """It took longer, or more memory, than it may. `seconds` is what it was given."""


class Died(Unreadable):
    """Its reader ended in the middle of it: by its doing, or somebody's who killed it."""


class Reader:
    """A process that reads one mail after the other."""

    def __init__(self) -> None:
        # Nothing of our environment: it needs no secret, and what it runs on is a stranger's.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "inbound.reading.child"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"LANG": "C.UTF-8", "PATH": os.environ.get("PATH", ""), **MEMORY},
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)
        self._is_new = True
        self.pid = self._process.pid

    def ask(
        self, asked: dict[str, Any], raw: bytes, seconds: float
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Raises Unreadable or TooMuch; after TooMuch the process has ended."""
        deadline = time.monotonic() + seconds + (STARTING if self._is_new else 0)
        left = deadline - time.monotonic()
        frame = json.dumps(asked | {"size": len(raw), "seconds": left}).encode()
        received = self._exchange([HEADER.pack(len(frame)) + frame, raw], deadline, seconds)
        self._is_new = False
        said, files = _taken_apart(received)
        if error := said.get("error", ""):
            if error.startswith("MemoryError"):
                self.end()
                raise TooMuch("it needed more memory than a mail may")
            raise Unreadable(error)
        return said, files

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _exchange(self, sent: list[bytes], deadline: float, seconds: float) -> bytearray:
        """Writes the question while it reads the answer, until that is whole."""
        waiting = [memoryview(piece) for piece in sent if piece]
        received, progress = bytearray(), _Progress()
        with selectors.DefaultSelector() as selector:
            selector.register(self._in, selectors.EVENT_WRITE)
            selector.register(self._out, selectors.EVENT_READ)
            while not progress.is_whole(received):
                ready = selector.select(max(0.0, deadline - time.monotonic()))
                if not ready and time.monotonic() >= deadline:
                    self.end()
                    raise TooMuch(f"it was not read within {seconds:.0f} seconds")
                for key, _ in ready:
                    if key.fd == self._out:
                        self._take(received)
                    else:
                        self._give(waiting)
                        if not waiting:
                            selector.unregister(self._in)
        return received

    def _take(self, received: bytearray) -> None:
        chunk = os.read(self._out, CHUNK)
        if not chunk:
            self.end()
            raise Died(f"its reader died of it (exit status {self._process.returncode})")
        received += chunk

    def _give(self, waiting: list[memoryview]) -> None:
        try:
            written = os.write(self._in, waiting[0][:CHUNK])
        except BrokenPipeError:
            waiting.clear()  # it has died: reading its answer tells
            return
        waiting[0] = waiting[0][written:]
        if not waiting[0]:
            waiting.pop(0)


def _taken_apart(received: bytearray) -> tuple[dict[str, Any], list[bytes]]:
    """The answer (see child.py): its length, so much JSON, and the files whose sizes that tells."""
    end = HEADER.size + HEADER.unpack_from(received)[0]
    said = json.loads(received[HEADER.size : end])
    files = []
    for size in said["sizes"]:
        files.append(bytes(memoryview(received)[end : end + size]))  # copied once
        end += size
    return said, files


class _Progress:
    """How long the answer that comes in will be, as soon as it can be told."""

    def __init__(self) -> None:
        self._length = HEADER.size
        self._steps = 0

    def is_whole(self, received: bytearray) -> bool:
        while len(received) >= self._length:
            if self._steps == 2:
                return True
            if self._steps == 0:
                self._length += HEADER.unpack_from(received)[0]
            else:
                self._length += sum(json.loads(received[HEADER.size : self._length])["sizes"])
            self._steps += 1
        return False
