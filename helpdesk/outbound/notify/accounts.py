"""What people are told of their accounts: codes, links that sign in, and PINs in their name.

With `send` off the same work is done and the row is cancelled: nobody can tell.
"""

from datetime import datetime

from django.conf import settings
from django.urls import reverse

from helpdesk.models import Person, SupportPin
from helpdesk.outbound import texts
from helpdesk.outbound.outbox_row import Draft, Reader, queue, reader_of
from inbound.models import Mailbox


def code(
    address: str,
    person: Person | None,
    digits: str,
    mailbox: Mailbox,
    *,
    minutes: int,
    expires_at: datetime,
    send: bool,
    language: str = "",
) -> None:
    """A one-time code."""
    queue(
        Draft(
            "code",
            Reader(address, person),
            mailbox,
            {"code": digits, "minutes": minutes},
            language=language,
            expires_at=expires_at,
            hold_back=not send,
        )
    )


def registration(
    address: str,
    person: Person | None,
    token: str,
    mailbox: Mailbox,
    *,
    hours: int,
    expires_at: datetime,
    is_known: bool,
    send: bool,
    language: str = "",
) -> None:
    """A link that opens the account that was asked for; where there is one, that there is."""
    link = reverse("portal:sign_in") if is_known else reverse("portal:registration", args=[token])
    queue(
        Draft(
            "registration",
            Reader(address, person),
            mailbox,
            {"link": settings.PUBLIC_URL + link, "hours": hours, "is_known": is_known},
            language=language,
            expires_at=expires_at,
            hold_back=not send,
        )
    )


def password_reset(
    address: str,
    person: Person | None,
    link: str,
    mailbox: Mailbox,
    *,
    expires_at: datetime,
    send: bool,
) -> None:
    """A link that sets a new password."""
    reader = Reader(address, person)
    draft = Draft(
        "password_reset",
        reader,
        mailbox,
        {"link": link},
        expires_at=expires_at,
        hold_back=not send,
    )
    queue(draft)


def pin_issued(pin: SupportPin, mailbox: Mailbox, link: str) -> None:
    """To the customer, without the PIN: an agent has made one. The link ends it."""
    _tell_of_pin("pin_issued", pin, mailbox, link)


def pin_used(pin: SupportPin, mailbox: Mailbox, link: str) -> None:
    """To the customer: somebody is signed in as them. The link signs them out."""
    _tell_of_pin("pin_used", pin, mailbox, link)


def _tell_of_pin(kind: str, pin: SupportPin, mailbox: Mailbox, link: str) -> None:
    """On no ticket: an answer to it is a new one, and does not wait with the agent whom it may be
    about."""
    context = {
        "agent": texts.agent_name(mailbox, pin.issued_by) or mailbox.name or mailbox.address,
        "issued_at": pin.created_at,
        "valid_until": pin.expires_at,
        "used_at": pin.used_at,
        "link": link,
    }
    queue(Draft(kind, reader_of(pin.person), mailbox, context))
