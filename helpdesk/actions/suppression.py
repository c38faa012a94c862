"""Addresses that take no mail, and taking them off that list again."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from helpdesk.actions.common import record
from helpdesk.models import OutboundMail, Person, Suppression
from tasks.ring import ring

State = OutboundMail.State
REASON = "the address takes no mail"


def suppress(mail: OutboundMail, reason: str, detail: str) -> None:
    """No more mail to where `mail` went; what still waits for it is not sent."""
    _, created = Suppression.objects.get_or_create(
        address=mail.to_address, defaults={"reason": reason, "detail": detail[:2000], "mail": mail}
    )
    waiting = OutboundMail.objects.filter(to_address=mail.to_address, state=State.QUEUED).exclude(pk=mail.pk)
    waiting.update(state=State.SUPPRESSED, reason=REASON, sealed="")
    if created and mail.ticket:
        record(mail.ticket, "address-suppressed", None, address=mail.to_address, why=detail[:300])


def lift(address: str, *, actor: Person) -> int:
    """Mail goes there again, and the answers that were kept back go out now; how many they are."""
    with transaction.atomic():
        Suppression.objects.filter(address=address.lower()).delete()
        recent = timezone.now() - timedelta(seconds=settings.OUTBOUND_MAX_AGE)
        kept = OutboundMail.objects.filter(
            to_address=address.lower(), state=State.SUPPRESSED, reason=REASON, kind="reply", created_at__gt=recent
        ).select_related("ticket")
        mails = list(kept)
        for mail in mails:
            OutboundMail.objects.filter(pk=mail.pk, state=State.SUPPRESSED).update(
                state=State.QUEUED, reason="", next_attempt_at=timezone.now()
            )
            ring("tasks.outbound.deliver", mail.pk)
        for ticket in {mail.ticket for mail in mails if mail.ticket}:
            record(ticket, "suppression-lifted", actor, address=address)
    return len(mails)
