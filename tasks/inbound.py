"""Received mail → tickets: leases what is due, has it read, lets intake decide and write, and lets
go of the rows."""

import logging
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import timedelta

from celery import shared_task
from django.db import DataError, IntegrityError, connection
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from helpdesk.config_cache import kept_for_a_moment
from helpdesk.files import stored as files
from helpdesk.intake import understood
from helpdesk.intake.plan import WRITES
from helpdesk.intake.sets import carry_out
from helpdesk.intake.understood import Understood
from helpdesk.outbound import spending
from inbound import proving, readers
from inbound.models import InboundMail, Mailbox
from inbound.prepared import Prepared, padded
from inbound.queue import LARGE, task_for
from inbound.store import TEMPORARY
from tasks import sweeping
from tasks.leasing import CLOCKS_DIFFER, back_off, finish, lease_due
from tasks.ring import ring
from tasks.watchdog import limit, watched

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)  # far longer than the slowest mail of the largest size takes
SLOW_LEASE = timedelta(seconds=90)  # and of one that is read apart
MAX_ATTEMPTS = 5
MOST = 25  # mails of a set; none is large, so they have 5 MB together
LATE = 0.2  # seconds; who is not read by then leaves the set
GO_ON = 5.0  # seconds in which one task takes up further sets
PATIENCE = 10.0  # seconds after which what nobody has begun to read is given back
_readings = ThreadPoolExecutor(2, "readings")
_RECEIVED = InboundMail.objects.select_related("raw").filter(state=InboundMail.State.RECEIVED)


@shared_task(time_limit=limit(LEASE))
@watched("inbound mail", LEASE)
def process(pk: int) -> None:
    """Row `pk` is due, and what else is due is taken with it. Safe to call any number of times, by
    any number of workers."""
    ordinary = _RECEIVED.filter(Q(pk=pk) | Q(size__lte=LARGE), is_slow=False)
    if not _process_due(ordinary, pk, MOST):
        ring("tasks.inbound.process", pk)  # its turn has not come


@shared_task(time_limit=limit(LEASE))
@watched("inbound mail", LEASE)
def process_large(pk: int) -> None:
    """As `process`, on a queue of its own: reading a large mail takes long enough for small ones to
    wait for it."""
    _process_due(_RECEIVED.filter(pk=pk, is_slow=False), pk, 1)


@shared_task(time_limit=limit(SLOW_LEASE))
@watched("inbound mail", SLOW_LEASE)
def process_slow(pk: int) -> None:
    """Row `pk` is due, and has outlasted a reader once: on a queue of its own, so that such mail
    waits for itself alone."""
    _process_due(_RECEIVED.filter(pk=pk, is_slow=True), pk, 1, lease=SLOW_LEASE)


def _process_due(
    rows: "QuerySet[InboundMail]", pk: int, most: int, *, lease: timedelta = LEASE
) -> bool:
    """Those of `rows` that have been due longest, set after set while there are enough, if `pk` is
    due. Whether it was among them, or somebody else has taken it along."""
    if not _is_due(pk):
        return True
    until, is_done = time.monotonic() + GO_ON, False
    reading = _Reading(lease_due(rows, most, lease=lease))
    while reading.rows:
        is_done |= any(row.pk == pk for row in reading.rows)
        # The next ones are read while these are written.
        goes_on = len(reading.rows) == MOST and time.monotonic() < until
        behind = _Reading(_leased_behind(rows, most, lease) if goes_on else [])
        for read in reading:
            _carry_out(read)
        reading = behind
    return is_done or not _is_due(pk)


def _leased_behind(rows: "QuerySet[InboundMail]", most: int, lease: timedelta) -> list[InboundMail]:
    try:
        return lease_due(rows, most, lease=lease)
    except TEMPORARY as error:  # those that are leased already must not wait for it
        log.warning("no further mails are taken up: %s", type(error).__name__)
        return []


_is_due = Prepared(
    lambda pk: InboundMail.objects.filter(
        pk=pk, state=InboundMail.State.RECEIVED, next_attempt_at__lte=Now() + CLOCKS_DIFFER
    ).values_list("pk")
)


class _Reading:
    """Mails that are just being read. Whoever goes through it gets what is read, in one piece if
    nothing is late: who is late leaves the set."""

    def __init__(self, rows: list[InboundMail]) -> None:
        self.rows = rows
        for row in rows:
            row.mailbox = _mailbox(row.mailbox_id)
        for row in self._died():
            # Its earlier attempts left no error: they took their worker with them.
            _fail(row, row.error or "the worker died each time it was processed")
        sound = [row for row in rows if row.attempts <= MAX_ATTEMPTS]
        self._ours = understood.our_addresses() if rows else frozenset()
        self._alone = sound[0] if len(rows) == 1 and sound else None
        self._late = {} if self._alone else {self._submit(row): row for row in sound}
        self._until = time.monotonic() + PATIENCE

    def __iter__(self) -> Iterator[list[Understood]]:
        if self._alone is not None:
            read: list[Understood] = []
            with _outcome_of(self._alone):
                read.append(_read(self._alone, self._ours))
            yield read
        while self._late:
            in_time, _ = wait(self._late, timeout=LATE)
            if not in_time:
                in_time, _ = wait(self._late, return_when=FIRST_COMPLETED)
            read = []
            for one in in_time:
                with _outcome_of(self._late.pop(one)):
                    read.append(one.result())
            if time.monotonic() > self._until:
                self._give_back()
            yield read

    def _give_back(self) -> None:
        """Those before them take long to read: others may be quicker."""
        for one, row in list(self._late.items()):
            if one.cancel():
                del self._late[one]
                again = {"attempts": row.attempts - 1, "next_attempt_at": timezone.now()}
                if finish(_RECEIVED, row, **again):
                    ring(task_for(row.size), row.pk)

    def _died(self) -> list[InboundMail]:
        return [row for row in self.rows if row.attempts > MAX_ATTEMPTS]

    def _submit(self, row: InboundMail) -> "Future[Understood]":
        return _readings.submit(_read, row, self._ours)


def _read(row: InboundMail, ours: frozenset[str]) -> Understood:
    if row.raw is None:
        raise ValueError("its bytes have been deleted")
    slow = row.is_slow
    return understood.read(row, row.raw.content, ours=ours, apart=slow, hurried=not slow)


def _carry_out(mails: list[Understood]) -> None:
    """Writes what follows from them: together, and where that fails each alone."""
    stored: dict[int, dict[int, str]] = {}
    while mails:
        for mail in [mail for mail in mails if mail.files and mail.row.pk not in stored]:
            # Files go to the storage before the transaction, so that no lock waits for a disk or a
            # network.
            with _outcome_of(mail.row):
                stored[mail.row.pk] = files.save_mail_files(mail.row.pk, mail.files)
                continue
            mails.remove(mail)
        try:
            ended, left = carry_out(mails, stored, _still_leased)
        except Exception as error:
            if len(mails) == 1:
                with _outcome_of(mails[0].row):
                    raise
                return
            log.warning("%d mails, each alone: %s", len(mails), type(error).__name__)
            if not connection.in_atomic_block:
                connection.close()
            for mail in mails:
                _carry_out([mail])
            return
        files.discard(
            name
            for row in ended
            if row.reason not in WRITES
            for name in stored.get(row.pk, {}).values()
        )
        _wake_waiting(ended)
        mails = left


def _still_leased(rows: list[InboundMail]) -> set[int]:
    """Those that no other worker has taken since."""
    found = _RECEIVED.select_related(None).filter(pk__in=[row.pk for row in rows])
    if connection.vendor == "postgresql":
        found = found.order_by("pk").select_for_update(no_key=True)
    attempts = dict(found.values_list("pk", "attempts"))
    held = {row.pk for row in rows if attempts.get(row.pk) == row.attempts}
    for row in rows:
        if row.pk not in held:
            log.info("mail %d was taken over by another worker", row.pk)
    return held


@contextmanager
def _outcome_of(row: InboundMail) -> Iterator[None]:
    """What becomes of a mail that could not be read, or not be written."""
    try:
        yield
    except readers.TooMuch as error:
        if row.is_slow:
            _fail(row, str(error))
        elif finish(_RECEIVED, row, is_slow=True, error=str(error), next_attempt_at=timezone.now()):
            ring("tasks.inbound.process_slow", row.pk)
    except proving.NeedsTime:
        # Not an attempt: where the DNS is slow, others need not wait.
        if finish(
            _RECEIVED, row, is_slow=True, attempts=row.attempts - 1, next_attempt_at=timezone.now()
        ):
            ring("tasks.inbound.process_slow", row.pk)
    except (DataError, IntegrityError, readers.Unreadable) as error:
        # What no column takes, what is there already, what cannot be read: the mail's own fault, if
        # it happens again.
        _try_again(row, error)
    except TEMPORARY as error:
        # Our fault, not the mail's: it backs off, and the attempt does not count.
        log.warning("mail %d: %s: %s", row.pk, type(error).__name__, error)
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


@kept_for_a_moment
def _mailbox(pk: int) -> Mailbox:
    return Mailbox.objects.select_related("identity").get(pk=pk)


def _wake_waiting(rows: list[InboundMail]) -> None:
    ids = [row.message_id for row in rows if row.message_id]
    waiting = _waiting(padded(ids)) if ids else []
    if not waiting:
        return
    sizes = dict(waiting)
    _RECEIVED.filter(pk__in=sizes, waiting_for__in=ids).update(
        next_attempt_at=timezone.now(), waiting_for=""
    )
    for pk, size in sizes.items():
        ring(task_for(size), pk)


_waiting = Prepared(
    lambda ids: (
        InboundMail.objects.filter(waiting_for__in=ids)
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
    _wake_waiting([row])


def _words(error: Exception) -> str:
    return (
        f"{type(error).__name__}: {error}".encode("utf-8", "replace")
        .decode()
        .replace("\0", "")[:2000]
    )
