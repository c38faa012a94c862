"""How a short lease is renewed while the work goes on, so that a killed worker's row is soon due
again.

One thread for each process, and nothing to write for work that is quick.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import connections
from django.db.models import QuerySet
from django.db.models.functions import Now

from tasks.leasing import by_attempt

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
_lock = threading.Lock()
_renewer: threading.Thread | None = None


@dataclass(eq=False, slots=True)
class _Lease:
    rows: "QuerySet[Any]"
    held: Sequence[Any]
    lease: timedelta
    ends: float  # it is not renewed for ever: whoever hangs loses the rows
    meanwhile: Callable[[], bool] | None = None
    renewed: float = field(default_factory=time.monotonic)


_leases: set[_Lease] = set()


@contextmanager
def renewed(
    rows: "QuerySet[Any]",
    held: Sequence[Any],
    lease: timedelta,
    *,
    at_most: timedelta,
    meanwhile: Callable[[], bool] | None = None,
) -> Iterator[None]:
    """The lease of what is `held` holds as long as this goes on and it is among `rows`, but no
    longer than `at_most`. `meanwhile` is called now and then, by another thread; it says whether it
    has asked the database."""
    global _renewer
    mine = _Lease(rows, held, lease, time.monotonic() + at_most.total_seconds(), meanwhile)
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
        with _lock:
            looked_at = list(_leases)
        asked = [_look(one) for one in looked_at]
        if any(asked):
            connections.close_all()


def _look(one: _Lease) -> bool:
    """Renews what is due for it, and does what is to be done meanwhile; whether the database was
    asked."""
    now, asked = time.monotonic(), False
    try:
        if now - one.renewed > one.lease.total_seconds() / 3 and now < one.ends:
            asked = True
            for attempts, pks in by_attempt(one.held):
                rows = one.rows.filter(pk__in=pks, attempts=attempts)
                rows.update(next_attempt_at=Now() + one.lease)
            one.renewed = now
        if one.meanwhile is not None:
            asked = one.meanwhile() or asked
    except Exception as error:  # it is tried again in a moment, until the lease runs out
        log.warning("a lease could not be renewed: %s", type(error).__name__)
        return True
    return asked
