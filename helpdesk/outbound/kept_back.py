"""Which mail is written down and not sent: to an address that takes none, or has had its share."""

from datetime import timedelta

from django.conf import settings
from django.db.models import Count
from django.utils import timezone

from helpdesk.facts import Fact, Several
from helpdesk.models import OutboundMail, Suppression
from helpdesk.models.mail_kinds import MailKind, To
from helpdesk.models.mailing import SUPPRESSED
from inbound.prepared import Prepared, padded

CAP_HOURS = 3


def why(kind: MailKind, address: str) -> str:
    """Why a mail to that address is written down and not sent, or ""."""
    if is_suppressed(address.lower()):
        return SUPPRESSED
    # What staff get follows from people's work, not from mail that comes in: it can't make a loop.
    # Nor does what a customer must know, which a code or a PIN brings about.
    if kind.is_automatic and kind.can_mute and kind.to is To.CUSTOMER and _over_cap(address):
        return "too many automatic mails"
    return ""


def _suppressed(addresses: list[str]) -> dict[str, bool]:
    return {address: True for (address,) in _kept_back(padded(addresses))}


_kept_back = Prepared(
    lambda addresses: (
        Suppression.objects.filter(address__in=addresses).order_by().values_list("address")
    )
)
is_suppressed: Fact[str, bool] = Fact(_suppressed, lambda: False)


def _over_cap(address: str) -> bool:
    """Whether that address had its share of automatic mail, whatever it writes: the end of every
    loop."""
    return sum(automatic_to(address.lower())) >= settings.AUTOMATIC_MAILS_PER_ADDRESS


def _automatic(addresses: list[str]) -> dict[str, list[int]]:
    since = timezone.now() - timedelta(hours=CAP_HOURS)
    return {address: [count] for address, count in _counted(padded(addresses), since)}


_counted = Prepared(
    lambda addresses, since: (
        OutboundMail.objects.filter(
            is_automatic=True, to_address__in=addresses, created_at__gt=since, is_secret=False
        )
        .exclude(state=OutboundMail.State.SUPPRESSED)
        .order_by()
        .values_list("to_address")
        .annotate(Count("pk"))
    )
)


# How many automatic mails went to that address: what was counted, and one for each made since.
automatic_to: Several[str, int] = Several(_automatic)


def _counts(mail: OutboundMail) -> bool:
    is_out = mail.state != OutboundMail.State.SUPPRESSED
    return mail.is_automatic and is_out and not mail.is_secret


automatic_to.grows(
    OutboundMail, lambda mail: [mail.to_address.lower()] * _counts(mail), lambda mail: 1
)
