"""The outbox → the wire: claims a row, hands it over, and writes down what became of it."""

import logging
import random
from datetime import timedelta

from celery import shared_task
from django.db import DatabaseError, InterfaceError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from helpdesk import access, delivery, routes
from helpdesk.models import OutboundMail
from inbound.store import TEMPORARY
from tasks.claim import back_off, claim, finish
from tasks.ring import ring
from tasks.watchdog import limit, watched

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=3)  # longer than a mail server can hold one mail: routes.SEND_SECONDS
LATE = timedelta(seconds=1)
SWEEP_ROWS = 200
MAX_DEATHS = 5  # attempts that ended without a word: they took their worker with them
MAX_ERRORS = 12  # of our own making; a mail server that is away is tried until the mail is too old

State = OutboundMail.State


@shared_task(time_limit=limit(LEASE))
@watched("outgoing mail", LEASE)
def deliver(pk: int) -> None:
    """Row `pk` is due. At least once: a crash between the server's 250 and our commit sends it again,
    under the same Message-ID."""
    deliver_row(_rows(), pk)


@shared_task
def sweep() -> int:
    """Rings again for rows that have been due for a moment; how many it rang for."""
    return ring_for(due(_rows()), "tasks.outbound.deliver")


def deliver_row(rows: QuerySet[OutboundMail], pk: int, *, retry: timedelta | None = None) -> None:
    """Row `pk`, if it is among `rows` and due. `retry` is the pause after a fault, in the place of the
    growing one; a circuit that is open does not hold such mail up."""
    mail = claim(rows, pk, lease=LEASE)
    if mail is None:
        return
    if delivery.expired(mail):
        finish(rows, mail, state=State.FAILED, reason="expired", sealed="")
        return
    if not access.may_get(mail):
        finish(rows, mail, state=State.SUPPRESSED, reason=access.NOT_THEIRS, sealed="")
        return
    if delivery.too_old(mail):
        _failed(rows, mail, delivery.Failure(True, mail.reason or "too old", mail.error or "it waited too long"), retry)
        return
    if mail.attempts > MAX_DEATHS and not mail.error:
        _failed(rows, mail, delivery.Failure(True, "error", "the worker died each time it was sent"), retry)
        return
    if retry is None and (until := routes.wait_until(mail)):
        # Not an attempt: nobody dials. They don't all come back in the same instant.
        later = until + timedelta(seconds=random.uniform(0, 5))
        finish(rows, mail, attempts=mail.attempts - 1, reason=routes.WAITS, next_attempt_at=later)
        return
    try:
        provider_id = delivery.send(mail)
    except (DatabaseError, InterfaceError):
        raise  # the lease brings it back
    except Exception as error:  # smtplib's, the provider's or our own: one table says what it means
        _failed(rows, mail, delivery.judge(error), retry)
        return
    with transaction.atomic():
        if not finish(rows, mail, **delivery.sent(mail, provider_id)):
            transaction.set_rollback(True)
    routes.works(mail.route)


def due(rows: QuerySet[OutboundMail]) -> QuerySet[OutboundMail]:
    return rows.filter(next_attempt_at__lt=timezone.now() - LATE).order_by("next_attempt_at")


def ring_for(rows: QuerySet[OutboundMail], task: str) -> int:
    try:
        pks = list(rows.values_list("pk", flat=True)[:SWEEP_ROWS])
    except TEMPORARY as error:
        log.warning("cannot look for what is due: %s", type(error).__name__)
        return 0
    for pk in pks:
        ring(task, pk)
    return len(pks)


def queued() -> QuerySet[OutboundMail]:
    """Rows that are work, with what composing them needs."""
    return OutboundMail.objects.select_related("mailbox__identity", "ticket", "comment__author").filter(
        state=State.QUEUED
    )


def _failed(
    rows: QuerySet[OutboundMail], mail: OutboundMail, failure: delivery.Failure, retry: timedelta | None
) -> None:
    log.warning("outgoing mail %d, attempt %d: %s: %s", mail.pk, mail.attempts, failure.reason, failure.detail)
    final = failure.permanent or (failure.reason == "error" and mail.attempts >= MAX_ERRORS)
    if failure.of_the_route:
        routes.failed(mail.route, failure.detail)
    elif failure.reason in {"recipient refused", "message refused"}:
        routes.works(mail.route)  # it has something against this mail: it is there
    with transaction.atomic():
        if not final:
            wait = retry or back_off(mail.attempts, first=5, longest=3600)
            finish(rows, mail, error=failure.detail, reason=failure.reason, next_attempt_at=timezone.now() + wait)
        elif finish(rows, mail, state=State.FAILED, error=failure.detail, reason=failure.reason, sealed=""):
            delivery.gave_up(mail, f"{failure.reason}: {failure.detail}")


def _rows() -> QuerySet[OutboundMail]:
    return queued().filter(is_secret=False)
