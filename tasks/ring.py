"""The doorbell: tells a worker, once the transaction has committed, that a row is due.

A ring may be lost (the broker is down, was flushed, there is none): the beat's sweep rings again.
So nothing here raises, and nothing here waits.
"""

import logging
import threading
import time
from collections.abc import Callable

from celery import current_app
from django.conf import settings
from django.db import transaction

log = logging.getLogger(__name__)

# after a broker's fault, so that each caller does not wait for its own time-out
SILENT_SECONDS = 5.0
_lock = threading.Lock()
_silent_until = 0.0
_away = False


def ring(task: str, pk: int) -> None:
    """Sends `task(pk)` when the current transaction commits, or at once outside one."""
    transaction.on_commit(lambda: _send(task, pk), robust=True)


def by(send: Callable[[str, int], None]) -> None:
    """From now on this process rings by `send`, in the place of the broker."""
    global _by
    _by = send


def by_broker(task: str, pk: int) -> None:
    current_app.send_task(task, args=[pk], expires=3600, ignore_result=True, retry=False)


_by = by_broker


def _send(task: str, pk: int) -> None:
    global _silent_until, _away
    if not settings.CAN_RING or time.monotonic() < _silent_until:
        return
    try:
        _by(task, pk)
    except Exception as error:  # whatever the broker's client raises: the row is the queue
        with _lock:
            _silent_until = time.monotonic() + SILENT_SECONDS
            first, _away = not _away, True
        if first:
            log.warning(
                "the broker does not answer (%s); the sweep will find what is due",
                type(error).__name__,
            )
        return
    if _away:
        with _lock:
            first, _away = _away, False
        if first:
            log.warning("the broker answers again")
