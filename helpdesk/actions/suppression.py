"""Taking an address off the list of those that take no mail."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from helpdesk.history import record
from helpdesk.models import OutboundMail, Person, Suppression
from helpdesk.models.mailing import SUPPRESSED
from helpdesk.outbound.suppression import LIFTED
from tasks.ring import ring

State = OutboundMail.State


def lift(address: str, *, actor: Person) -> int:
    """Mail goes there again, and the answers that were kept back go out now; how many they are."""
    with transaction.atomic():
        Suppression.objects.filter(address=address.lower()).delete()
        OutboundMail.objects.filter(to_address=address.lower(), state=State.BOUNCED).update(
            reason=LIFTED
        )
        recent = timezone.now() - timedelta(seconds=settings.OUTBOUND_MAX_AGE)
        kept = OutboundMail.objects.filter(
            to_address=address.lower(),
            state=State.SUPPRESSED,
            reason=SUPPRESSED,
            kind="reply",
            created_at__gt=recent,
        ).select_related("ticket")
        mails = list(kept)
        for mail in mails:
            OutboundMail.objects.filter(pk=mail.pk, state=State.SUPPRESSED).update(
                state=State.QUEUED, reason="", next_attempt_at=timezone.now(), due_at=timezone.now()
            )
            ring("tasks.outbound.deliver", mail.pk)
        for ticket in {mail.ticket for mail in mails if mail.ticket}:
            record(ticket, "suppression-lifted", actor, address=address)
    return len(mails)
