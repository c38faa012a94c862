"""Secret mail, which is one-time codes and links that sign in: the secret rows of the outbox, on a
queue and a worker of their own, ahead of all other mail. Not retried past their expiry; wiped
whatever becomes of them."""

from datetime import timedelta

from celery import shared_task
from django.db.models import QuerySet
from django.utils import timezone

from helpdesk.models import OutboundMail
from tasks import outbound, sending, sweeping
from tasks.watchdog import limit, watched

# Renewed: who waits for a code waits no longer for a worker that was killed.
LEASE = timedelta(seconds=6)


@shared_task(name="tasks.codes.deliver", time_limit=limit(sending.HOLD))
@watched("outgoing mail", sending.HOLD)
def deliver(pk: int) -> None:
    """Row `pk` is due."""
    outbound.deliver_row(_rows(), pk, lease=LEASE, retry=timedelta(seconds=2))


@shared_task(name="tasks.codes.sweep")
def sweep() -> int:
    """Rings for mail whose ring was lost, and wipes those that expired; how many it rang for."""
    outbound.give_back_once()
    late = OutboundMail.objects.filter(is_secret=True, expires_at__lt=timezone.now()).exclude(
        sealed=""
    )
    late.filter(state=OutboundMail.State.QUEUED).update(
        state=OutboundMail.State.FAILED, reason="expired", sealed=""
    )
    late.update(sealed="")
    return sweeping.sweep(_rows(), "tasks.codes.deliver")


def _rows() -> QuerySet[OutboundMail]:
    return outbound.queued().filter(is_secret=True)
