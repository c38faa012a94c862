"""The outbox → the wire: leases a row, hands it over, and writes down what became of it."""

import logging
import os
import random
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from celery import shared_task
from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    connection,
    transaction,
)
from django.db.models import Case, F, QuerySet, When
from django.db.models.functions import Now
from django.utils import timezone

from helpdesk import access
from helpdesk.models import OutboundMail
from helpdesk.outbound import delivery, servers
from helpdesk.outbound.whose_fault import Whose
from inbound.store import TEMPORARY
from tasks import holders, renewing, sweeping
from tasks.leasing import back_off, finish, lease_row
from tasks.ring import ring
from tasks.watchdog import limit, watched

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=15)  # renewed while the mail is sent
HOLD = timedelta(minutes=3)  # longer than server_connections.SEND_SECONDS
WRITE_SECONDS, WRITE_PAUSE = 60.0, 0.3
MAX_DEATHS = 5  # attempts in a row that took their worker with them
MAX_ERRORS = 12  # of our own making; a mail server that is away is tried until the mail is too old
# So often must a mail be refused, each time after another was taken, before it is the mail's own
# fault; and so long must it have been due. (A relay that limits us takes some and refuses others
# for hours.)
MAX_REFUSALS = {Whose.UNCLEAR: (2, timedelta(0)), Whose.POLICY: (8, timedelta(days=1))}

State = OutboundMail.State
_gave_back = 0  # the process that has


@shared_task(time_limit=limit(HOLD))
@watched("outgoing mail", HOLD)
def deliver(pk: int) -> None:
    """Row `pk` is due. At least once: a crash between the server's 250 and our commit sends it
    again, under the same Message-ID."""
    deliver_row(_rows(), pk)


@shared_task
def sweep() -> int:
    """Rings again for rows that have been due for a moment; how many it rang for."""
    give_back_once()
    return sweeping.sweep(_rows(), "tasks.outbound.deliver")


def deliver_row(
    rows: QuerySet[OutboundMail],
    pk: int,
    *,
    lease: timedelta = LEASE,
    retry: timedelta | None = None,
) -> None:
    """Row `pk`, if it is among `rows` and due. `retry` is the pause after a fault, in the place of
    the growing one; a circuit that is open does not hold such mail up."""
    give_back_once()
    me = holders.holder()
    # Who held it has not let go of it. (This very process: the database was away when it wanted
    # to.)
    died = Case(When(held_by__in=["", me], then=0), default=1)
    mail = lease_row(rows, pk, lease=lease, held_by=me, deaths=F("deaths") + died)
    if mail is None:
        return
    with renewing.renewed(rows, mail, lease, at_most=HOLD):
        _deliver(rows, mail, retry)


def release(gone: Callable[[str], bool]) -> int:
    """What workers held that are gone is due at once; how much it was. What took a worker with it
    again and again waits for a while."""
    held = list(
        OutboundMail.objects.filter(state=State.QUEUED)
        .exclude(held_by="")
        .only("attempts", "deaths", "held_by")
    )
    released = 0
    for mail in held:
        if gone(mail.held_by):
            wait = timedelta(0) if mail.deaths < 2 else back_off(mail.deaths - 1, first=15)
            released += finish(
                OutboundMail.objects.filter(held_by=mail.held_by),
                mail,
                held_by="",
                deaths=mail.deaths + 1,
                next_attempt_at=Now() + wait,
            )
            ring("tasks.codes.deliver" if mail.is_secret else "tasks.outbound.deliver", mail.pk)
    return released


def give_back_once() -> None:
    """What killed processes of this machine held is due at once; found by each process with its
    first task. (Not by Celery's signal of its start: there Celery closes the descriptors of
    whatever connections are open.)"""
    global _gave_back
    if _gave_back == os.getpid():
        return
    _gave_back = os.getpid()
    try:
        release(holders.is_gone)
    except TEMPORARY as error:  # the leases run out by themselves
        log.warning("what killed workers held is not given back: %s", type(error).__name__)


def _deliver(rows: QuerySet[OutboundMail], mail: OutboundMail, retry: timedelta | None) -> None:
    if delivery.expired(mail):
        _let_go(rows, mail, state=State.FAILED, reason="expired", sealed="")
        return
    if not access.may_get(mail):
        _let_go(rows, mail, state=State.SUPPRESSED, reason=access.NOT_THEIRS, sealed="")
        return
    if delivery.too_old(mail):
        _give_up(rows, mail, mail.reason or "too old", mail.error or "it waited too long")
        return
    if mail.deaths >= MAX_DEATHS:
        _give_up(rows, mail, "error", "the worker died each time it was sent")
        return
    if retry is None and (until := servers.wait_until(mail)):
        # Not an attempt: nobody dials. They don't all come back in the same instant.
        later = until + timedelta(seconds=random.uniform(0, 5))
        _let_go(rows, mail, attempts=mail.attempts - 1, reason=servers.WAITS, next_attempt_at=later)
        return
    try:
        provider_id = delivery.send(mail)
    except (DatabaseError, InterfaceError):
        raise  # the lease brings it back
    except Exception as error:  # smtplib's, the provider's or our own: one table says what it means
        _failed(rows, mail, delivery.judge(error), retry)
        return
    _write_down(rows, mail, provider_id)
    servers.works(mail.server)


def _write_down(rows: QuerySet[OutboundMail], mail: OutboundMail, provider_id: str) -> None:
    """That it was sent. Where the database is away just now, it is waited for: forgotten, the mail
    would go out again."""
    until = time.monotonic() + WRITE_SECONDS
    while True:
        try:
            with transaction.atomic():
                outcome = delivery.sent(mail, provider_id)
                # Whoever has leased it since the lease ran out sends it again; that it was sent is
                # true all the same.
                written = _let_go(rows, mail, **outcome) or rows.filter(pk=mail.pk).update(
                    held_by="", deaths=0, **outcome
                )
                if not written:
                    transaction.set_rollback(True)
            return
        except (DataError, IntegrityError):
            raise
        except (DatabaseError, InterfaceError) as error:
            if connection.in_atomic_block or time.monotonic() > until:
                raise
            log.warning(
                "outgoing mail %d is sent; to write that down: %s", mail.pk, type(error).__name__
            )
            connection.close()
            time.sleep(WRITE_PAUSE)


def _let_go(rows: QuerySet[OutboundMail], mail: OutboundMail, **outcome: Any) -> bool:
    return finish(rows, mail, held_by="", deaths=0, **outcome)


def queued() -> QuerySet[OutboundMail]:
    """Rows that are work, with what composing them needs."""
    return OutboundMail.objects.select_related(
        "mailbox__identity", "ticket", "comment__author"
    ).filter(state=State.QUEUED)


def _failed(
    rows: QuerySet[OutboundMail],
    mail: OutboundMail,
    failure: delivery.Failure,
    retry: timedelta | None,
) -> None:
    log.warning(
        "outgoing mail %d, attempt %d: %s: %s",
        mail.pk,
        mail.attempts,
        failure.reason,
        failure.detail,
    )
    if failure.whose is Whose.SERVER:
        servers.failed(mail.server, failure.detail)
    elif failure.whose in MAX_REFUSALS:
        is_known = mail.refusals >= 2  # that the server takes others, and not this one
        mail.refusals += is_known or servers.takes_others(mail)
        mail.refused_at = timezone.now()
        if not is_known:
            servers.failed(mail.server, failure.detail, refused=mail.pk)
    elif failure.whose is not None:
        servers.is_there(mail.server)
    with transaction.atomic():
        if not _is_final(mail, failure):
            later = Now() + (retry or back_off(mail.attempts, first=failure.pause, longest=3600))
            _let_go(
                rows,
                mail,
                error=failure.detail,
                reason=failure.reason,
                next_attempt_at=later,
                refusals=mail.refusals,
                refused_at=mail.refused_at,
            )
        else:
            _give_up(rows, mail, failure.reason, failure.detail)


def _is_final(mail: OutboundMail, failure: delivery.Failure) -> bool:
    if failure.whose is None:
        return failure.reason == "error" and mail.attempts >= MAX_ERRORS
    if failure.whose in MAX_REFUSALS:
        refusals, patience = MAX_REFUSALS[failure.whose]
        return mail.refusals >= refusals and timezone.now() - mail.due_at >= patience
    return failure.whose.is_final


def _give_up(rows: QuerySet[OutboundMail], mail: OutboundMail, reason: str, detail: str) -> None:
    with transaction.atomic():
        if _let_go(rows, mail, state=State.FAILED, error=detail, reason=reason, sealed=""):
            delivery.gave_up(mail, f"{reason}: {detail}")


def _rows() -> QuerySet[OutboundMail]:
    return queued().filter(is_secret=False)
