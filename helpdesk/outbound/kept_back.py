"""Which mail is written down and not sent: to an address that takes none, or has had its share."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from helpdesk.models import OutboundMail, Suppression
from helpdesk.models.mail_kinds import MailKind, To
from helpdesk.models.mailing import SUPPRESSED
from inbound.prepared import Prepared

CAP_HOURS = 3


def why(kind: MailKind, address: str) -> str:
    """Why a mail to that address is written down and not sent, or ""."""
    if _suppressed(address):
        return SUPPRESSED
    # What staff get follows from people's work, not from mail that comes in: it can't make a loop.
    # Nor does what a customer must know, which a code or a PIN brings about.
    if kind.is_automatic and kind.can_mute and kind.to is To.CUSTOMER and _over_cap(address):
        return "too many automatic mails"
    return ""


_suppressed = Prepared(
    lambda address: Suppression.objects.filter(address=address).values_list("pk")[:1]
)


def _over_cap(address: str) -> bool:
    """Whether that address had its share of automatic mail, whatever it writes: the end of every
    loop."""
    since = timezone.now() - timedelta(hours=CAP_HOURS)
    return len(_automatic(address, since)) >= settings.AUTOMATIC_MAILS_PER_ADDRESS


_automatic = Prepared(
    lambda address, since: (
        OutboundMail.objects.filter(
            is_automatic=True, to_address=address, created_at__gt=since, is_secret=False
        )
        .exclude(state=OutboundMail.State.SUPPRESSED)
        .values_list("pk")
    )
)
