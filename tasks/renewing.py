"""How a short lease is renewed while the work goes on, so that a killed worker's row is soon due
again.

One thread for each process, and nothing to write for work that is quick.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import connections
from django.db.models import QuerySet
from django.db.models.functions import Now

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
_lock = threading.Lock()
_renewer: threading.Thread | None = None


@dataclass(eq=False, slots=True)
class _Lease:
    rows: "QuerySet[Any]"
    row: Any
    lease: timedelta
    ends: float  # it is not renewed for ever: whoever hangs loses the row
    renewed: float = field(default_factory=time.monotonic)


_leases: set[_Lease] = set()


@contextmanager
def renewed(
    rows: "QuerySet[Any]", row: Any, lease: timedelta, *, at_most: timedelta
) -> Iterator[None]:
    """The lease of `row` holds as long as this goes on, but no longer than `at_most`."""
    global _renewer
    mine = _Lease(rows, row, lease, time.monotonic() + at_most.total_seconds())
    with _lock:
        _leases.add(mine)
        if _renewer is None or not _renewer.is_alive():  # the first, or the first after a fork
            _renewer = threading.Thread(target=_renew, name="leases", daemon=True)
            _renewer.start()
    try:
        yield
    finally:
        with _lock:
            _leases.discard(mine)


def _renew() -> None:
    while True:
        time.sleep(LOOK_SECONDS)
        now = time.monotonic()
        with _lock:
            due = [
                one
                for one in _leases
                if now - one.renewed > one.lease.total_seconds() / 3 and now < one.ends
            ]
        for one in due:
            try:
                row = one.rows.filter(pk=one.row.pk, attempts=one.row.attempts)
                row.update(next_attempt_at=Now() + one.lease)
                one.renewed = now
            except Exception as error:  # it is tried again in a moment, until the lease runs out
                log.warning("a lease could not be renewed: %s", type(error).__name__)
        if due:
            connections.close_all()
