"""Leased mails → the wire, one after the other; what was sent is written down for all of them
together. What goes wrong with one is that one's."""

import logging
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import (
    DatabaseError,
    InterfaceError,
    OperationalError,
    transaction,
)
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from helpdesk import access
from helpdesk.models import OutboundMail
from helpdesk.outbound import delivery, servers
from helpdesk.outbound.whose_fault import Whose
from tasks import renewing, writing_down
from tasks.leasing import back_off, finish
from tasks.ring import ring

log = logging.getLogger(__name__)

BEGIN_SECONDS = 2.0  # after that no other mail of the set is begun: somebody else may be faster
WRITE_SECONDS = 0.5  # so long, and a look of the renewer's, what was sent waits to be written down
# Longer than server_connections.SEND_SECONDS after the last was begun.
HOLD = timedelta(minutes=3, seconds=10)
MAX_DEATHS = 5  # attempts in a row that took their worker with them
MAX_ERRORS = 12  # of our own making; a mail server that is away is tried until the mail is too old
# So often must a mail be refused, each time after another was taken, before it is the mail's own
# fault; and so long must it have been due. (A relay that limits us takes some and refuses others
# for hours.)
MAX_REFUSALS = {Whose.UNCLEAR: (2, timedelta(0)), Whose.POLICY: (8, timedelta(days=1))}

State = OutboundMail.State


def send_all(
    rows: QuerySet[OutboundMail],
    mails: Sequence[OutboundMail],
    lease: timedelta,
    *,
    retry: timedelta | None = None,
) -> None:
    """What has been leased and is among `rows`, in that order. `retry`: as `deliver_row` says."""
    sending = _Sending(rows, retry)
    with renewing.renewed(rows, mails, lease, at_most=HOLD, meanwhile=sending.write_late):
        sending.send(mails)


@dataclass(slots=True)
class _Sending:
    rows: QuerySet[OutboundMail]
    retry: timedelta | None
    sent: list[tuple[OutboundMail, str]] = field(default_factory=list)  # and not written down
    since: float = 0.0
    working: set[str] = field(default_factory=set)  # servers that need not be asked for again
    lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, mails: Sequence[OutboundMail]) -> None:
        until = time.monotonic() + BEGIN_SECONDS
        try:
            for number, mail in enumerate(mails):
                if number and time.monotonic() > until:
                    _give_back(self.rows, mails[number:])
                    return
                self._deliver_alone(mail)
        finally:
            self._write_down()

    def write_late(self) -> bool:
        """While a mail takes its time, another thread writes down those before it."""
        if not self.sent or time.monotonic() - self.since < WRITE_SECONDS:
            return False
        if self.lock.acquire(blocking=False):  # else it is being written
            try:
                if writing_down.together(self.rows, self.sent):
                    self.sent.clear()
            finally:
                self.lock.release()
        return True

    def _deliver_alone(self, mail: OutboundMail) -> None:
        try:
            self._deliver(mail)
        except (OperationalError, InterfaceError):
            raise  # the database is away, for the others, too: their leases bring them back
        except Exception:
            log.exception("outgoing mail %d: its lease brings it back", mail.pk)

    def _deliver(self, mail: OutboundMail) -> None:
        if delivery.expired(mail):
            _let_go(self.rows, mail, state=State.FAILED, reason="expired", sealed="")
        elif not access.may_get(mail):
            _let_go(self.rows, mail, state=State.SUPPRESSED, reason=access.NOT_THEIRS, sealed="")
        elif delivery.too_old(mail):
            why = mail.error or "it waited too long"
            _give_up(self.rows, mail, mail.reason or "too old", why)
        elif mail.deaths >= MAX_DEATHS:
            _give_up(self.rows, mail, "error", "the worker died each time it was sent")
        elif self._may_try(mail):
            self._hand_over(mail)

    def _may_try(self, mail: OutboundMail) -> bool:
        """Whether its server is not known to fail; else the mail waits."""
        if self.retry is not None or mail.server in self.working:
            return True
        if until := servers.wait_until(mail):
            # Not an attempt: nobody dials. They don't all come back in the same instant.
            later = until + timedelta(seconds=random.uniform(0, 5))
            outcome = {"reason": servers.WAITS, "next_attempt_at": later}
            _let_go(self.rows, mail, attempts=mail.attempts - 1, **outcome)
            return False
        self.working.add(mail.server)
        return True

    def _hand_over(self, mail: OutboundMail) -> None:
        try:
            provider_id = delivery.send(mail)
        except (DatabaseError, InterfaceError):
            raise  # the lease brings it back
        except Exception as error:  # a server's, or our own: one table says what it means
            self._write_down()  # what the server took before counts for it first
            self.working.discard(mail.server)
            _failed(self.rows, mail, delivery.judge(error), self.retry)
            return
        with self.lock:
            self.since = self.since if self.sent else time.monotonic()
            self.sent.append((mail, provider_id))
        if time.monotonic() - self.since > WRITE_SECONDS:
            self._write_down()

    def _write_down(self) -> None:
        with self.lock:
            sent, self.sent = self.sent, []
            writing_down.write_down(self.rows, sent)


def _give_back(rows: QuerySet[OutboundMail], mails: Sequence[OutboundMail]) -> None:
    """They were not begun: they are due as they were, in the same order."""
    with transaction.atomic():
        for mail in mails:
            was = {"attempts": mail.attempts - 1, "next_attempt_at": mail.next_attempt_at}
            _let_go(rows, mail, **was)
        ring("tasks.outbound.deliver", mails[0].pk)


def _let_go(rows: QuerySet[OutboundMail], mail: OutboundMail, **outcome: Any) -> bool:
    return finish(rows, mail, held_by="", deaths=0, **outcome)


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
