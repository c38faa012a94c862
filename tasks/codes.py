"""Codes and reset links: the secret rows of the outbox, on a queue and a worker of their own, ahead of all
other mail. Not retried past their expiry; wiped whatever becomes of them."""

from datetime import timedelta

from celery import shared_task
from django.db.models import QuerySet
from django.utils import timezone

from helpdesk.models import OutboundMail
from tasks import outbound
from tasks.outbound import due, ring_for
from tasks.watchdog import limit, watched


@shared_task(time_limit=limit(outbound.LEASE))
@watched("outgoing mail", outbound.LEASE)
def deliver(pk: int) -> None:
    """Row `pk` is due."""
    outbound.deliver_row(_rows(), pk, retry=timedelta(seconds=2))


@shared_task
def sweep() -> int:
    """Rings for codes whose ring was lost, and wipes those that expired; how many it rang for."""
    late = OutboundMail.objects.filter(is_secret=True, expires_at__lt=timezone.now()).exclude(sealed="")
    late.filter(state=OutboundMail.State.QUEUED).update(state=OutboundMail.State.FAILED, reason="expired", sealed="")
    late.update(sealed="")
    return ring_for(due(_rows()), "tasks.codes.deliver")


def _rows() -> QuerySet[OutboundMail]:
    return outbound.queued().filter(is_secret=True)
