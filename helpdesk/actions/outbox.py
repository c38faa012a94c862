"""What an admin does with mail that waits to be sent, or could not be."""

from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from helpdesk.history import record
from helpdesk.models import OutboundMail, Person
from tasks.ring import ring

State = OutboundMail.State


def send_now(mails: Iterable[OutboundMail], *, actor: Person) -> int:
    """Makes mail that failed, or that backs off after an error, due at once; how many. Its
    Message-ID stays."""
    changed = 0
    for mail in mails:
        with transaction.atomic():
            waiting = OutboundMail.objects.filter(
                pk=mail.pk, state__in=[State.QUEUED, State.FAILED]
            ).exclude(error="")
            waiting = waiting.exclude(is_secret=True, sealed="")  # its words are gone
            if waiting.update(
                state=State.QUEUED, next_attempt_at=timezone.now(), due_at=timezone.now(), reason=""
            ):
                changed += 1
                _record(mail, "mail-retried", actor)
                ring("tasks.outbound.deliver", mail.pk)
    return changed


def cancel(mails: Iterable[OutboundMail], *, actor: Person) -> int:
    """Mail that was not sent yet will not be; how many."""
    changed = 0
    for mail in mails:
        with transaction.atomic():
            if OutboundMail.objects.filter(pk=mail.pk, state=State.QUEUED).update(
                state=State.CANCELLED, reason="by hand", sealed=""
            ):
                changed += 1
                _record(mail, "mail-cancelled", actor)
    return changed


def _record(mail: OutboundMail, kind: str, actor: Person) -> None:
    if mail.ticket:
        record(mail.ticket, kind, actor, to=mail.to_address, mail=mail.pk, what=mail.kind)
