"""The rows as a queue: which task reads a mail, what is made due again, and what nobody needs to
look at any more."""

from collections.abc import Iterable

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from inbound.models import InboundMail
from tasks.ring import ring

LARGE = 200_000  # bytes; a larger mail can take seconds to read, and waits in a queue of its own


def task_for(size: int, *, is_slow: bool = False) -> str:
    """The task that reads a mail of that size: forty that are made to be slow hold up no ordinary
    one."""
    if is_slow:
        return "tasks.inbound.process_slow"
    return "tasks.inbound.process_large" if size > LARGE else "tasks.inbound.process"


def requeue(mails: Iterable[InboundMail], *, force: bool = False) -> int:
    """Makes mails due again, from the beginning; how many were. What is done stays done.

    `force` lets a mail through that was quarantined: a person has looked at it.
    """
    sizes = {mail.pk: mail.size for mail in mails}
    with transaction.atomic():
        rows = InboundMail.objects.filter(pk__in=list(sizes))
        changed = _begun_again(rows, force=force) + _hurried(rows)
        for pk, size in sizes.items():
            ring(task_for(size), pk)
    return changed


def _begun_again(rows: QuerySet[InboundMail], *, force: bool) -> int:
    ended = rows.exclude(state__in=[InboundMail.State.DONE, InboundMail.State.RECEIVED])
    return ended.update(
        state=InboundMail.State.RECEIVED,
        next_attempt_at=timezone.now(),
        attempts=0,
        faults=0,
        error="",
        reason="",
        waiting_for="",
        finished_at=None,
        force=force,
        to_look_at=None,
        is_slow=False,
    )


def _hurried(rows: QuerySet[InboundMail]) -> int:
    """One that backs off after a fault is due now; its attempts keep their count."""
    now = timezone.now()
    waiting = rows.filter(state=InboundMail.State.RECEIVED, next_attempt_at__gt=now)
    return waiting.exclude(error="").update(next_attempt_at=now)


def dismiss(rows: QuerySet[InboundMail], *, by: str) -> int:
    """Somebody has looked at them, and nothing is to be done; how many. They stay as they are, and
    can be run again."""
    waiting = rows.filter(to_look_at__isnull=False)
    return waiting.update(to_look_at=None, looked_at=timezone.now(), looked_by=by[:200])
