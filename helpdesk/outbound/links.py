"""The link in a customer's mail: it opens that ticket for that person, to read, for a while. Of a
guest's ticket whoever follows it can say that it is theirs.

It travels with whatever quotes the mail, so it lets nobody write, and it can be ended: it holds for
the round of links (`Participant.link_round`) in which it was made. A new address or password ends
those from before.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.core import signing
from django.http import Http404
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from helpdesk import access
from helpdesk.models import Person, Ticket
from helpdesk.participants import row_of

SALT = "ticket link"


@dataclass(frozen=True, slots=True)
class Link:
    """What a link opens, for whom, and until when."""

    ticket: Ticket
    reader: Person
    until: datetime


class Ended(Http404):
    """The link opens nothing (any more). `ticket` is the number that we signed; None for one that
    we did not."""

    def __init__(self, ticket: int | None) -> None:
        super().__init__("This link does not work any more.")
        self.ticket = ticket


def ticket_link(ticket: Ticket, person: Person) -> str:
    """Empty for somebody who does not take part: it would open nothing."""
    row = row_of((ticket.pk, person.pk))
    if row is None:
        return ""
    token = signing.dumps([ticket.pk, person.pk, row.link_round, _stamp(person)], salt=SALT)
    return settings.PUBLIC_URL + reverse("portal:link", args=[token])


def works_until(made: datetime | None = None) -> datetime:
    """Until when a link holds that was made then, or is made now."""
    return (made or timezone.now()) + timedelta(days=settings.TICKET_LINK_DAYS)


def read_link(token: str) -> Link:
    """Raises Ended for a link that is forged, too old, was ended, or is not theirs any more."""
    signer = signing.TimestampSigner(salt=SALT)
    try:
        ticket, person, made_in, stamp = signer.unsign_object(token)
        until = works_until(
            datetime.fromtimestamp(signing.b62_decode(token.split(":")[-2]), tz=UTC)
        )
    except (signing.BadSignature, ValueError):
        raise Ended(None) from None
    reader = Person.objects.filter(pk=person, is_active=True, role=Person.Role.USER).first()
    row = row_of((ticket, person))
    if reader is None or timezone.now() >= until or row is None or row.link_round != made_in:
        raise Ended(ticket)
    if not constant_time_compare(stamp, _stamp(reader)):
        raise Ended(ticket)
    try:
        return Link(access.ticket(reader, ticket), reader, until)
    except Http404:
        raise Ended(ticket) from None


def _stamp(person: Person) -> str:
    return salted_hmac(SALT, person.signs_in_as(), algorithm="sha256").hexdigest()[:16]
