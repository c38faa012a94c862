"""The outbox → the wire: leases what is due, a few mails at a time, and has it sent."""

import logging
import os
from collections.abc import Callable
from datetime import timedelta

from celery import shared_task
from django.db.models import Case, F, QuerySet, When
from django.db.models.functions import Now

from helpdesk.models import OutboundMail
from inbound.store import TEMPORARY
from tasks import holders, leasing, sweeping
from tasks.leasing import back_off, finish
from tasks.ring import ring
from tasks.sending import HOLD, send_all
from tasks.watchdog import limit, watched

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=15)  # renewed while the mail is sent
AT_ONCE = 10  # mails leased together; so many, at the most, a killed worker has sent twice

State = OutboundMail.State
_gave_back = 0  # the process that has


@shared_task(time_limit=limit(HOLD))
@watched("outgoing mail", HOLD)
def deliver(pk: int) -> None:
    """Row `pk` is due, and what has been due longer goes out with it. At least once: a crash
    between the server's 250 and our commit sends it again, under the same Message-ID."""
    deliver_due(_rows(), pk)


@shared_task
def sweep() -> int:
    """Rings again for rows that have been due for a moment; how many it rang for."""
    give_back_once()
    return sweeping.sweep(_rows(), "tasks.outbound.deliver")


def deliver_due(rows: QuerySet[OutboundMail], pk: int) -> None:
    """Of `rows` those that have been due longest, if `pk` is among them and still due."""
    give_back_once()
    me = holders.holder()
    found = leasing.due(rows).filter(pk=pk).values_list("deaths", "held_by").first()
    if found is None:
        return  # it went out with others
    deaths, held_by = found
    if deaths or held_by not in {"", me}:
        deliver_row(rows, pk)  # it may have killed its worker, and endangers no other
        return
    healthy = rows.filter(deaths=0, held_by__in=["", me])
    mails = leasing.lease_due(healthy, AT_ONCE, lease=LEASE, held_by=me)
    send_all(rows.filter(held_by=me), mails, LEASE)
    if all(mail.pk != pk for mail in mails):
        ring("tasks.outbound.deliver", pk)  # its turn has not come


def deliver_row(
    rows: QuerySet[OutboundMail],
    pk: int,
    *,
    lease: timedelta = LEASE,
    retry: timedelta | None = None,
) -> None:
    """Row `pk` by itself, if it is among `rows` and due. `retry` is the pause after a fault, in the
    place of the growing one; a circuit that is open does not hold such mail up."""
    give_back_once()
    me = holders.holder()
    # Who held it has not let go of it. (This very process: the database was away when it wanted
    # to.)
    died = Case(When(held_by__in=["", me], then=0), default=1)
    mail = leasing.lease_row(rows, pk, lease=lease, held_by=me, deaths=F("deaths") + died)
    if mail is not None:
        send_all(rows.filter(held_by=me), [mail], lease, retry=retry)


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


def queued() -> QuerySet[OutboundMail]:
    """Rows that are work, with what composing them needs."""
    return OutboundMail.objects.select_related(
        "mailbox__identity", "ticket", "comment__author"
    ).filter(state=State.QUEUED)


def _rows() -> QuerySet[OutboundMail]:
    return queued().filter(is_secret=False)
