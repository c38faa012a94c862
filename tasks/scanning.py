"""Files that nobody has scanned yet: those of mail, and what was written while the virus scanner
was away."""

import logging
import time
from datetime import timedelta

from celery import shared_task
from django.db.models import QuerySet
from django.utils import timezone

from helpdesk.actions.scanning import scanned
from helpdesk.files import scanner
from helpdesk.models import Attachment
from tasks import sweeping
from tasks.watchdog import limit, watched

log = logging.getLogger(__name__)

LEASE = timedelta(
    seconds=60
)  # longer than one scan may take; a file whose scan fails waits at least so long
LONGEST_PAUSE = timedelta(hours=1)
# after a fault of the scanner's, so that files don't wait for its time-out one after the other
SILENT_SECONDS = 10.0
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
    return sweeping.sweep(_waiting(), "tasks.scanning.scan", due="scan_due_at")


def _waiting() -> QuerySet[Attachment]:
    return Attachment.objects.filter(scan=Attachment.Scan.WAITING)
