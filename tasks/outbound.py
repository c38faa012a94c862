"""The outbox → the wire: claims a row, hands it over, and writes down what became of it."""

import logging
from datetime import timedelta

from celery import shared_task
from django.db import DatabaseError, InterfaceError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from helpdesk import delivery
from helpdesk.models import OutboundMail
from inbound.store import TEMPORARY
from tasks.claim import back_off, claim, finish
from tasks.ring import ring

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=3)  # longer than a hanging server can hold one mail: each step times out
LATE = timedelta(seconds=1)
SWEEP_ROWS = 200
MAX_ERRORS = 12  # of our own making; a mail server that is away is tried until the mail is too old


@shared_task
def deliver(pk: int) -> None:
    """Row `pk` is due. At least once: a crash between the server's 250 and our commit sends it again,
    under the same Message-ID."""
    mail = claim(_rows(), pk, lease=LEASE)
    if mail is None:
        return
    try:
        provider_id = delivery.send(mail)
    except (DatabaseError, InterfaceError):
        raise  # the lease brings it back
    except Exception as error:  # smtplib's, the provider's or our own: one table says what it means
        _failed(mail, delivery.judge(error))
        return
    finish(
        _rows(), mail, state=OutboundMail.State.SENT, sent_at=timezone.now(), error="", reason="",
        provider_message_id=provider_id[:255] if provider_id != mail.message_id else "",
    )  # fmt: skip


@shared_task
def sweep() -> int:
    """Rings again for rows that have been due for a moment; how many it rang for."""
    try:
        due = OutboundMail.objects.filter(state=OutboundMail.State.QUEUED, next_attempt_at__lt=timezone.now() - LATE)
        pks = list(due.order_by("next_attempt_at").values_list("pk", flat=True)[:SWEEP_ROWS])
    except TEMPORARY as error:
        log.warning("cannot look for what is due: %s", type(error).__name__)
        return 0
    for pk in pks:
        ring("tasks.outbound.deliver", pk)
    return len(pks)


def _failed(mail: OutboundMail, failure: delivery.Failure) -> None:
    log.warning("outgoing mail %d, attempt %d: %s: %s", mail.pk, mail.attempts, failure.reason, failure.detail)
    final = failure.permanent or delivery.too_old(mail) or (failure.reason == "error" and mail.attempts >= MAX_ERRORS)
    with transaction.atomic():
        if not final:
            wait = back_off(mail.attempts, first=5, longest=3600)
            finish(
                _rows(), mail, error=failure.detail, reason=failure.reason, next_attempt_at=timezone.now() + wait
            )  # fmt: skip
        elif finish(
            _rows(), mail, state=OutboundMail.State.FAILED, error=failure.detail, reason=failure.reason
        ):  # fmt: skip
            delivery.gave_up(mail, f"{failure.reason}: {failure.detail}")


def _rows() -> QuerySet[OutboundMail]:
    return OutboundMail.objects.select_related("mailbox", "ticket").filter(state=OutboundMail.State.QUEUED)
