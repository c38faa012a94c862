"""Which address gets no more mail after what a server or a provider has said of it."""

from helpdesk.history import record
from helpdesk.models import OutboundMail, Suppression
from helpdesk.models.mailing import SUPPRESSED

State = OutboundMail.State
LIFTED = "its address gets mail again"  # of a mail, once an agent has lifted what followed from it


def suppress(mail: OutboundMail, reason: str, detail: str) -> None:
    """No more mail to where `mail` went; what still waits for it is not sent."""
    _, created = Suppression.objects.get_or_create(
        address=mail.to_address, defaults={"reason": reason, "detail": detail[:2000], "mail": mail}
    )
    waiting = OutboundMail.objects.filter(to_address=mail.to_address, state=State.QUEUED).exclude(
        pk=mail.pk
    )
    waiting.update(state=State.SUPPRESSED, reason=SUPPRESSED, sealed="")
    if created and mail.ticket:
        record(mail.ticket, "address-suppressed", None, address=mail.to_address, why=detail[:300])


def was_lifted(mail: OutboundMail) -> bool:
    """Whether an agent has lifted what followed from this mail: a provider that repeats itself does
    not undo that."""
    return mail.reason == LIFTED
