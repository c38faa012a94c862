"""Has mail read by processes of their own, with a deadline and a limit of memory for each mail.

Python's patterns and its HTML and MIME parsers hold the interpreter while they run: read here, one
bad mail would stop the listener, the web server and the workers together. Read there, it costs its
own reader.
"""

import atexit
import os
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from inbound.reader_process import Died, Reader, TooMuch, Unreadable
from inbound.reading.message import Envelope
from inbound.reading.packing import unpack, unpack_results
from inbound.reading.proofs.arc import Seal
from inbound.reading.reading import Reading
from inbound.reading.signatures import Checked, Signature

# What its functions raise is theirs, too.
__all__ = ["Died", "TooMuch", "Unreadable", "check", "hops", "links", "read", "seconds_for", "warm"]

MOST = 4  # readers of a process at one time
KEPT = 2
SECONDS, APART_SECONDS = 2.0, 20.0  # for any mail, and more for each 5 MB
LINK_SECONDS = 10.0  # the mail has failed already: nobody waits for it
STEP = 5_000_000


def read(raw: bytes, envelope: Envelope, ours: Collection[str], *, apart: bool = False) -> Reading:
    """As `inbound.reading.reading.read`. With `apart`, in a reader of its own that nobody else
    waits for, and with more time. Raises Unreadable, TooMuch, and OSError where no reader can be
    started."""
    asked = {
        "what": "read",
        "mail_from": envelope.mail_from,
        "rcpt_tos": envelope.rcpt_tos,
        "ours": sorted(ours),
    }
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
    signatures = (
        Signature(**told | {"covers": tuple(told["covers"])}) for told in found["signatures"]
    )
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
    """As `inbound.reading.ours.links`, of a mail that cannot be read: nothing in it is decoded.
    Nothing where it cannot be told."""
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
