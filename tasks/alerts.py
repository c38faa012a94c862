"""Alerts by SMS and chat: claims a row, sends it, and tries again later where the service did not take it."""

import logging
from datetime import timedelta

from celery import shared_task
from django.db.models import QuerySet
from django.utils import timezone

from helpdesk import access, alerts
from helpdesk.models import Alert
from inbound.store import TEMPORARY
from tasks.claim import back_off, claim, finish
from tasks.ring import ring
from tasks.watchdog import limit, watched

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=2)
MAX_AGE = timedelta(days=1)  # an alert of yesterday alarms nobody
SWEEP_ROWS = 100


@shared_task(time_limit=limit(LEASE))
@watched("alert", LEASE)
def deliver(pk: int) -> None:
    """Row `pk` is due."""
    alert = claim(_rows(), pk, lease=LEASE)
    if alert is None:
        return
    person = alert.channel.person
    if person is not None and alert.ticket is not None and not access.may_be_told(person, alert.ticket):
        finish(_rows(), alert, state=Alert.State.FAILED, error=access.NOT_THEIRS)
        return
    try:
        alerts.send(alert)
    except Exception as error:  # Apprise's plugins raise what they like
        words = f"{type(error).__name__}: {error}"[:2000]
        log.warning("alert %d, attempt %d: %s", alert.pk, alert.attempts, words)
        if timezone.now() - alert.created_at > MAX_AGE:
            finish(_rows(), alert, state=Alert.State.FAILED, error=words)
        else:
            finish(_rows(), alert, error=words, next_attempt_at=timezone.now() + back_off(alert.attempts))
        return
    finish(_rows(), alert, state=Alert.State.SENT, error="")


@shared_task
def sweep() -> int:
    """Rings again for rows that have been due for a moment; how many it rang for."""
    try:
        late = _rows().filter(next_attempt_at__lt=timezone.now() - timedelta(seconds=1)).order_by("next_attempt_at")
        pks = list(late.values_list("pk", flat=True)[:SWEEP_ROWS])
    except TEMPORARY as error:
        log.warning("cannot look for what is due: %s", type(error).__name__)
        return 0
    for pk in pks:
        ring("tasks.alerts.deliver", pk)
    return len(pks)


def _rows() -> QuerySet[Alert]:
    return Alert.objects.select_related("channel__person", "ticket").filter(state=Alert.State.QUEUED)
