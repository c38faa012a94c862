"""Received mail → tickets: leases a row, lets intake decide and write, and lets go of the row."""

import logging
from datetime import timedelta

from celery import shared_task
from django.db import DataError, IntegrityError, connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from helpdesk.config_cache import kept_for_a_moment
from helpdesk.files import stored as files
from helpdesk.intake import understood
from helpdesk.intake.apply import apply, lock
from helpdesk.intake.decide import decide
from helpdesk.intake.plan import WRITES
from helpdesk.outbound import spending
from inbound import proving, readers
from inbound.models import InboundMail, Mailbox
from inbound.prepared import Prepared
from inbound.queue import task_for
from inbound.store import TEMPORARY
from tasks import sweeping
from tasks.leasing import back_off, finish, lease_row
from tasks.ring import ring
from tasks.watchdog import limit, watched

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)  # far longer than the slowest mail of the largest size takes
SLOW_LEASE = timedelta(seconds=90)  # and of one that is read apart
MAX_ATTEMPTS = 5
_RECEIVED = InboundMail.objects.select_related("raw").filter(state=InboundMail.State.RECEIVED)


class Overtaken(Exception):
    """Another worker finished this mail, or changed what was decided about it."""


@shared_task(time_limit=limit(LEASE))
@watched("inbound mail", LEASE)
def process(pk: int) -> None:
    """Row `pk` is due. Safe to call any number of times, by any number of workers."""
    _process_row(_RECEIVED.filter(is_slow=False), pk, LEASE)


@shared_task(time_limit=limit(LEASE))
@watched("inbound mail", LEASE)
def process_large(pk: int) -> None:
    """As `process`, on a queue of its own: reading a large mail takes long enough for small ones to
    wait for it."""
    _process_row(_RECEIVED.filter(is_slow=False), pk, LEASE)


@shared_task(time_limit=limit(SLOW_LEASE))
@watched("inbound mail", SLOW_LEASE)
def process_slow(pk: int) -> None:
    """Row `pk` is due, and has outlasted a reader once: on a queue of its own, so that such mail
    waits for itself alone."""
    _process_row(_RECEIVED.filter(is_slow=True), pk, SLOW_LEASE)


def _process_row(rows: "QuerySet[InboundMail]", pk: int, lease: timedelta) -> None:
    row = lease_row(rows, pk, lease=lease)
    if row is None:
        return
    if row.attempts > MAX_ATTEMPTS:
        # Its earlier attempts left no error: they took their worker with them.
        _fail(row, row.error or "the worker died each time it was processed")
        return
    try:
        _process(row)
    except Overtaken:
        log.info("mail %d was taken over by another worker", pk)
    except readers.TooMuch as error:
        if row.is_slow:
            _fail(row, str(error))
        elif finish(_RECEIVED, row, is_slow=True, error=str(error), next_attempt_at=timezone.now()):
            ring("tasks.inbound.process_slow", pk)
    except proving.NeedsTime:
        # Not an attempt: where the DNS is slow, others need not wait.
        if finish(
            _RECEIVED, row, is_slow=True, attempts=row.attempts - 1, next_attempt_at=timezone.now()
        ):
            ring("tasks.inbound.process_slow", pk)
    except (DataError, IntegrityError, readers.Unreadable) as error:
        # What no column takes, what is there already, what cannot be read: the mail's own fault, if
        # it happens again.
        _try_again(row, error)
    except TEMPORARY as error:
        # Our fault, not the mail's: it backs off, and the attempt does not count.
        log.warning("mail %d: %s: %s", pk, type(error).__name__, error)
        if not connection.in_atomic_block:
            connection.close()
        finish(
            _RECEIVED,
            row,
            attempts=row.attempts - 1,
            faults=min(row.faults + 1, 1000),
            error=_words(error),
            next_attempt_at=timezone.now() + back_off(row.faults + 1, first=2, longest=60),
        )
    except Exception as error:
        _try_again(row, error)


def _try_again(row: InboundMail, error: Exception) -> None:
    log.warning("mail %d, attempt %d", row.pk, row.attempts, exc_info=error)
    if row.attempts >= MAX_ATTEMPTS:
        _fail(row, _words(error))
    else:
        finish(
            _RECEIVED,
            row,
            error=_words(error),
            next_attempt_at=timezone.now() + back_off(row.attempts),
        )


@shared_task
def sweep() -> int:
    """Rings again for mail that has been due for a moment; how many it rang for."""
    return sweeping.sweep(_RECEIVED, _task_for, by=("size", "is_slow"))


def _task_for(size: int, is_slow: bool) -> str:
    return task_for(size, is_slow=is_slow)


def _process(row: InboundMail) -> None:
    if row.raw is None:
        raise ValueError("its bytes have been deleted")
    row.mailbox = _mailbox(row.mailbox_id)
    mail = understood.read(row, row.raw.content, apart=row.is_slow, hurried=not row.is_slow)
    for _ in range(3):
        decided, stored, number = decide(mail) if mail.files else None, {}, None
        if decided is not None and decided.do in WRITES:
            # Files go to the storage before the transaction, so that no lock waits for a disk or a
            # network.
            number = files.reserve_ticket_number() if decided.do == "open" else None
            ticket = number or decided.ticket
            assert ticket is not None
            stored = files.save_mail_files(ticket, row.pk, mail.files)
        with transaction.atomic():
            lock(mail)
            final = decide(mail)
            if final.do == "wait":
                _wait(row, final.waiting_for, proof=proving.pack(mail.proof))
                return
            if decided is not None and final.target != decided.target:
                continue  # its parent arrived in between: its files belong elsewhere
            outcome = apply(mail, final, stored, number)
            if not finish(_RECEIVED, row, **outcome):
                transaction.set_rollback(True)
                raise Overtaken
        _wake_waiting(row)
        return
    raise RuntimeError("what to do with it changed three times while it was processed")


@kept_for_a_moment
def _mailbox(pk: int) -> Mailbox:
    return Mailbox.objects.select_related("identity").get(pk=pk)


def _wait(row: InboundMail, parent: str, **seen: object) -> None:
    """Not an attempt: its parent is stored and will wake it when it is done."""
    soon = timezone.now() + timedelta(seconds=1)
    finish(
        _RECEIVED,
        row,
        attempts=row.attempts - 1,
        waiting_for=parent[:500],
        next_attempt_at=soon,
        **seen,
    )


def _wake_waiting(row: InboundMail) -> None:
    if not row.message_id:
        return
    waiting = dict(_waiting(row.message_id))
    if waiting:
        _RECEIVED.filter(pk__in=waiting, waiting_for=row.message_id).update(
            next_attempt_at=timezone.now(), waiting_for=""
        )
        for pk, size in waiting.items():
            ring(task_for(size), pk)


_waiting = Prepared(
    lambda message_id: (
        InboundMail.objects.filter(waiting_for=message_id)
        .exclude(waiting_for="")
        .values_list("pk", "size")[:100]
    )
)


def _fail(row: InboundMail, error: str) -> None:
    if row.raw is not None:
        spending.spend_links(readers.links(row.raw.content))
    finish(
        _RECEIVED,
        row,
        state=InboundMail.State.FAILED,
        error=error,
        finished_at=timezone.now(),
        to_look_at=InboundMail.Look.FAILED,
    )
    _wake_waiting(row)


def _words(error: Exception) -> str:
    return (
        f"{type(error).__name__}: {error}".encode("utf-8", "replace")
        .decode()
        .replace("\0", "")[:2000]
    )
