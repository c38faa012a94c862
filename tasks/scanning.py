"""Files that nobody has scanned yet: those of mail, and what was written while the virus scanner was away."""

import logging
import time
from datetime import timedelta

from celery import shared_task
from django.db.models import QuerySet
from django.utils import timezone

from helpdesk import scanner
from helpdesk.actions.scanning import scanned
from helpdesk.models import Attachment
from inbound.store import TEMPORARY
from tasks.ring import ring
from tasks.watchdog import limit, watched

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)  # longer than one scan may take; a file whose scan fails waits at least so long
LATE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(hours=1)
SWEEP_ROWS = 100
SILENT_SECONDS = 10.0  # after a fault of the scanner's, so that files don't wait for its time-out one after the other
_silent_until = 0.0


@shared_task(time_limit=limit(LEASE))
@watched("file", LEASE)
def scan(pk: int) -> None:
    """File `pk` is due. Safe to call any number of times."""
    global _silent_until
    now = timezone.now()
    if not scanner.is_on() or time.monotonic() < _silent_until:
        return
    file = _waiting().select_related("comment__ticket").filter(pk=pk).first()
    if file is None:
        return
    # It comes less and less often: one at which the scanner hangs does so each time.
    later = now + max(LEASE, min(LONGEST_PAUSE, (now - file.created_at) / 4))
    if not _waiting().filter(pk=pk, scan_due_at__lte=now).update(scan_due_at=later):
        return
    try:
        with file.file.open("rb") as content:
            signature = scanner.scan(content)
    except FileNotFoundError:
        scanned(file, Attachment.Scan.FAILED)
    except scanner.CannotScan as error:
        log.warning("file %d cannot be scanned: %s", pk, error)
        scanned(file, Attachment.Scan.FAILED)
    except scanner.ScannerAway as error:
        log.warning("file %d waits to be scanned: %s", pk, error)
        _silent_until = time.monotonic() + SILENT_SECONDS
    else:
        scanned(file, Attachment.Scan.INFECTED if signature else Attachment.Scan.CLEAN, signature)


@shared_task
def sweep() -> int:
    """Rings for files that have been due for a moment; how many it rang for."""
    if not scanner.is_on() or time.monotonic() < _silent_until:
        return 0
    try:
        late = _waiting().filter(scan_due_at__lt=timezone.now() - LATE).order_by("scan_due_at")
        pks = list(late.values_list("pk", flat=True)[:SWEEP_ROWS])
    except TEMPORARY as error:
        log.warning("cannot look for what is due: %s", type(error).__name__)
        return 0
    for pk in pks:
        ring("tasks.scanning.scan", pk)
    return len(pks)


def _waiting() -> QuerySet[Attachment]:
    return Attachment.objects.filter(scan=Attachment.Scan.WAITING)
