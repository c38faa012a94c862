"""What this process is working on: a worker that sits on a row past its lease is seen, named and
ended.

By then another worker may have the row; this one would never come back for anything else. A
process of `serve` ends itself, and is started again; one of Celery's pool is killed by its parent
(`limit`). The row counts the attempt, and is given up after a few of them.
"""

import functools
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from django.core.cache import caches

log = logging.getLogger(__name__)

# After the lease: SQLite makes a writer wait 30 s for another, at the beginning and at the end.
MARGIN = timedelta(seconds=60)
LOOK_SECONDS = 1.0
SIGNS = "signs"  # the cache in which processes tell each other of themselves
SEEN = "stuck"  # in it: name → when it was begun, and when it was last seen
SEEN_SECONDS = 60.0  # so long it is shown after it was seen last: its process may be gone


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    what: str
    pk: int
    lease: timedelta
    thread: threading.Thread = field(default_factory=threading.current_thread)
    since: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.since

    @property
    def name(self) -> str:
        return f"{self.what} {self.pk}"

    def __str__(self) -> str:
        return f"{self.name} for {self.seconds:.0f} s"


_held: set[Held] = set()
_lock = threading.Lock()
_watcher: threading.Thread | None = None


def limit(lease: timedelta) -> int:
    """For a task's `time_limit`, seconds: Celery kills the process that takes longer, and starts
    another."""
    return int((lease + MARGIN).total_seconds())


def watched(
    what: str, lease: timedelta
) -> Callable[[Callable[[int], None]], Callable[[int], None]]:
    """Around a task that leases the row it is called for."""

    def around(work: Callable[[int], None]) -> Callable[[int], None]:
        @functools.wraps(work)
        def guarded(pk: int) -> None:
            with _holding(Held(what, pk, lease)):
                work(pk)

        return guarded

    return around


def overdue(margin: timedelta = timedelta(0)) -> list[Held]:
    """What this process has held for longer than its lease and the margin, the longest first."""
    with _lock:
        found = [held for held in _held if held.seconds > (held.lease + margin).total_seconds()]
    return sorted(found, key=lambda held: held.since)


def seen() -> list[str]:
    """What all processes that share the signs have seen a moment ago: "inbound mail 17 for 42
    s"."""
    fresh = time.time() - SEEN_SECONDS
    found: dict[str, tuple[float, float]] = caches[SIGNS].get(SEEN) or {}
    return [
        f"{name} for {at - since:.0f} s"
        for name, (since, at) in sorted(found.items())
        if at > fresh
    ]


@contextmanager
def _holding(held: Held) -> Iterator[None]:
    global _watcher
    with _lock:
        _held.add(held)
        if _watcher is None or not _watcher.is_alive():  # the first, or the first after a fork
            _watcher = threading.Thread(target=_watch, name="watchdog", daemon=True)
            _watcher.start()
    try:
        yield
    finally:
        with _lock:
            _held.discard(held)


def _watch() -> None:
    told: set[Held] = set()
    while True:
        time.sleep(LOOK_SECONDS)
        found = overdue()
        told &= set(found)
        for held in found:
            if held not in told:
                log.error("%s is past its lease; it is at:\n%s", held, _stack(held.thread))
                told.add(held)
        if found:
            _show(found)


def _show(found: list[Held]) -> None:
    """Two processes that write at once lose one's words until it writes again."""
    now = time.time()
    others = {
        name: times
        for name, times in (caches[SIGNS].get(SEEN) or {}).items()
        if times[1] > now - SEEN_SECONDS
    }
    ours = {held.name: (now - held.seconds, now) for held in found}
    caches[SIGNS].set(SEEN, others | ours, timeout=SEEN_SECONDS)


def _stack(thread: threading.Thread) -> str:
    frame = sys._current_frames().get(thread.ident or 0)
    return "".join(traceback.format_stack(frame)[-12:]) if frame else "nowhere"
