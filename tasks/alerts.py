"""Alerts by SMS and chat: leases a row, sends it, and tries again later where the service did not
take it."""

import logging
from datetime import timedelta

from celery import shared_task
from django.db.models import QuerySet
from django.utils import timezone

from helpdesk import access
from helpdesk.models import Alert
from helpdesk.outbound import alerts
from tasks import renewing, sweeping
from tasks.leasing import back_off, finish, lease_row
from tasks.watchdog import limit, watched

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=15)  # renewed while it is sent
HOLD = timedelta(minutes=2)
MAX_AGE = timedelta(days=1)  # an alert of yesterday alarms nobody


@shared_task(time_limit=limit(HOLD))
@watched("alert", HOLD)
def deliver(pk: int) -> None:
    """Row `pk` is due."""
    alert = lease_row(_rows(), pk, lease=LEASE)
    if alert is None:
        return
    person = alert.channel.person
    if (
        person is not None
        and alert.ticket is not None
        and not access.may_be_told(person, alert.ticket)
    ):
        finish(_rows(), alert, state=Alert.State.FAILED, error=access.NOT_THEIRS)
        return
    try:
        with renewing.renewed(_rows(), [alert], LEASE, at_most=HOLD):
            alerts.send(alert)
    except Exception as error:  # Apprise's plugins raise what they like
        words = f"{type(error).__name__}: {error}"[:2000]
        log.warning("alert %d, attempt %d: %s", alert.pk, alert.attempts, words)
        if timezone.now() - alert.created_at > MAX_AGE:
            finish(_rows(), alert, state=Alert.State.FAILED, error=words)
        else:
            finish(
                _rows(),
                alert,
                error=words,
                next_attempt_at=timezone.now() + back_off(alert.attempts),
            )
        return
    finish(_rows(), alert, state=Alert.State.SENT, error="")


@shared_task
def sweep() -> int:
    """Rings again for rows that have been due for a moment; how many it rang for."""
    return sweeping.sweep(_rows(), "tasks.alerts.deliver")


def _rows() -> QuerySet[Alert]:
    return Alert.objects.select_related("channel__person", "ticket").filter(
        state=Alert.State.QUEUED
    )
