"""Has mail read by processes of their own, with a deadline and a limit of memory for each mail.

Python's patterns and its HTML and MIME parsers hold the interpreter while they run: read here, one bad mail would stop
the listener, the web server and the workers together. Read there, it costs its own reader.
"""

import atexit
import json
import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inbound.reading.child import HEADER
from inbound.reading.message import Envelope
from inbound.reading.reading import Reading, unpack, unpack_results
from inbound.reading.signatures import Checked, Seal, Signature

MOST = 4  # readers of a process at one time
KEPT = 2
SECONDS, APART_SECONDS = 2.0, 20.0  # for any mail, and more for each 5 MB
LINK_SECONDS = 10.0  # the mail has failed already: nobody waits for it
STEP = 5_000_000
STARTING = 10.0  # more for the first mail of a reader, which imports its libraries first
CHUNK = 1 << 16
ROOT = Path(__file__).resolve().parents[1]


class Unreadable(Exception):
    """The mail's own fault: reading it raised."""


class TooMuch(Unreadable):
    """It took longer, or more memory, than it may. `seconds` is what it was given."""


class Died(Unreadable):
    """Its reader ended in the middle of it: by its doing, or somebody's who killed it."""


def read(raw: bytes, envelope: Envelope, ours: Collection[str], *, apart: bool = False) -> Reading:
    """As `inbound.reading.reading.read`. With `apart`, in a reader of its own that nobody else waits for, and with
    more time. Raises Unreadable, TooMuch, and OSError where no reader can be started."""
    asked = {
        "what": "read", "mail_from": envelope.mail_from, "rcpt_tos": envelope.rcpt_tos, "ours": sorted(ours),
    }  # fmt: skip
    with _apart() if apart else _reader() as reader:
        said, files = reader.ask(asked, raw, seconds_for(len(raw), apart=apart))
    return unpack(said["reading"], files)


def check(raw: bytes, keys: Mapping[str, bytes | None]) -> Checked:
    """As `inbound.reading.signatures.check`. Raises as `read`."""
    as_text = {name: None if key is None else key.decode("latin-1") for name, key in keys.items()}
    asked = {"what": "check", "keys": as_text}
    with _reader() as reader:
        said, _ = reader.ask(asked, raw, seconds_for(len(raw)))
    found = said["checked"]
    seals = tuple(Seal(seal["domain"], unpack_results(seal["results"])) for seal in found["seals"])
    signatures = (Signature(**told | {"covers": tuple(told["covers"])}) for told in found["signatures"])
    return Checked(tuple(signatures), found["chain"], seals, tuple(found["covers"]))


def hops(raw: bytes) -> list[dict[str, str]]:
    """As `inbound.reading.received.hops`; nothing where it cannot be told."""
    try:
        with _reader() as reader:
            said, _ = reader.ask({"what": "hops"}, raw[:200_000], SECONDS)
    except Unreadable:
        return []
    return list(said["hops"])


def links(raw: bytes) -> tuple[str, ...]:
    """As `inbound.reading.ours.links`, of a mail that cannot be read: nothing in it is decoded. Nothing where it cannot
    be told."""
    try:
        with _apart() as reader:
            said, _ = reader.ask({"what": "links"}, raw, max(LINK_SECONDS, seconds_for(len(raw))))
    except (Unreadable, OSError):
        return ()
    return tuple(said["links"])


def seconds_for(size: int, *, apart: bool = False) -> float:
    return (APART_SECONDS if apart else SECONDS) + (4.0 if apart else 1.0) * (size // STEP)


def warm() -> None:
    """Starts a reader, so that the first mail does not wait for it."""
    with _reader():
        pass


class Reader:
    """A process that reads one mail after the other."""

    def __init__(self) -> None:
        # Nothing of our environment: it needs no secret, and what it runs on is a stranger's.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "inbound.reading.child"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={"LANG": "C.UTF-8", "PATH": os.environ.get("PATH", "")},
        )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)
        self._is_new = True
        self.pid = self._process.pid

    def ask(self, asked: dict[str, Any], raw: bytes, seconds: float) -> tuple[dict[str, Any], list[bytes]]:
        """Raises Unreadable or TooMuch; after TooMuch the process has ended."""
        deadline = time.monotonic() + seconds + (STARTING if self._is_new else 0)
        frame = json.dumps(asked | {"size": len(raw), "seconds": deadline - time.monotonic()}).encode()
        received = self._exchange([HEADER.pack(len(frame)) + frame, raw], deadline, seconds)
        self._is_new = False
        end = HEADER.size + HEADER.unpack_from(received)[0]
        said = json.loads(received[HEADER.size : end])
        files = []
        for size in said["sizes"]:
            files.append(bytes(received[end : end + size]))
            end += size
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


_lock = threading.Lock()
_slots = threading.BoundedSemaphore(MOST)
_idle: list[Reader] = []
_owner = os.getpid()


@contextmanager
def _reader() -> Iterator[Reader]:
    """One that waits for work, or a new one; it is kept for the next mail unless it has died."""
    with _slots:
        reader = _taken() or Reader()
        try:
            yield reader
        except Unreadable:
            _give_back(reader)
            raise
        except BaseException:
            reader.end()  # in the middle of an answer
            raise
        _give_back(reader)


@contextmanager
def _apart() -> Iterator[Reader]:
    reader = Reader()
    try:
        yield reader
    finally:
        reader.end()


def _taken() -> Reader | None:
    global _owner
    with _lock:
        if _owner != os.getpid():
            # A fork of the process that started them: they answer to that one.
            _owner = os.getpid()
            _idle.clear()
        while _idle:
            reader = _idle.pop()
            if reader.is_alive():
                return reader
    return None


def _give_back(reader: Reader) -> None:
    with _lock:
        if reader.is_alive() and len(_idle) < KEPT:
            _idle.append(reader)
            return
    reader.end()


@atexit.register
def _end_all() -> None:
    if _owner == os.getpid():
        while _idle:
            _idle.pop().end()
