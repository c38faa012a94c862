"""What a fresh installation needs before anyone can use it: a mailbox and an admin."""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from helpdesk.models import Person
from inbound.models import InboundMail, Mailbox


@dataclass(frozen=True, slots=True)
class Made:
    mailbox: str = ""
    admin: str = ""
    password: str = ""  # only where it was made up here; it is shown this once


def first_rows() -> Made:
    """Makes the first mailbox and the first admin where there is none of them."""
    mailbox = admin = password = ""
    if not Mailbox.objects.exists():
        mailbox = Mailbox.objects.create(address=settings.SUPPORT_ADDRESS, name="Support").address
    if not Person.objects.filter(role=Person.Role.ADMIN).exists():
        password = settings.ADMIN_PASSWORD or secrets.token_urlsafe(12)
        existing = Person.objects.filter(email=settings.ADMIN_EMAIL).first()
        person = existing or Person(email=settings.ADMIN_EMAIL, name="Admin")
        person.role = Person.Role.ADMIN
        person.set_password(password)
        person.save()
        admin = person.email
    return Made(mailbox, admin, "" if settings.ADMIN_PASSWORD else password)


def void_leases() -> int:
    """For a process that is the only one: the received mail that a killed predecessor had leased
    is due now; how much it was. Elsewhere the lease runs out by itself. Rows that back off after an
    error keep their time.
    """
    now = timezone.now()
    soon = now + timedelta(minutes=10)
    inbound = InboundMail.objects.filter(
        state="received", error="", next_attempt_at__range=(now, soon)
    )
    return inbound.update(next_attempt_at=now)
