"""The link in a customer's mail: it opens that ticket for that person, to read, for a while.

It travels with whatever quotes the mail, so it lets nobody write.
"""

from datetime import timedelta

from django.conf import settings
from django.core import signing
from django.http import Http404
from django.urls import reverse

from helpdesk import access
from helpdesk.models import Person, Ticket

SALT = "ticket link"


def ticket_link(ticket: Ticket, person: Person) -> str:
    token = signing.dumps([ticket.pk, person.pk], salt=SALT)
    return settings.PUBLIC_URL + reverse("portal:link", args=[token])


def read_link(token: str) -> tuple[Ticket, Person]:
    """The ticket and its reader. Http404 for a link that is forged, too old, or not theirs any more."""
    try:
        ticket, person = signing.loads(token, salt=SALT, max_age=timedelta(days=settings.TICKET_LINK_DAYS))
    except signing.BadSignature:
        raise Http404 from None
    reader = Person.objects.filter(pk=person, is_active=True, role=Person.Role.USER).first()
    if reader is None:
        raise Http404
    return access.ticket(reader, ticket), reader
