"""Support PINs: staff hand them out, and whoever enters one is the customer, as far as the agent
may see.

A PIN is one of 32**12: a billion tries at a thousand of them hit with less than 1 in 1,000,000, so
guessing is limited by client alone, and locks nobody out. The customer is told by mail when one is
issued and when it is used, and can end it: an agent could enter it themselves.
"""

import hashlib
import hmac
import secrets
from datetime import timedelta

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone

from helpdesk import people, throttle
from helpdesk.history import record
from helpdesk.models import Person, SupportPin, Ticket
from helpdesk.models.person import STAFF_ROLES
from helpdesk.outbound import notify
from helpdesk.refused import Refused
from inbound.default_mailbox import default_mailbox
from inbound.models import Mailbox

VALID = timedelta(days=1)
# Crockford's base32: no I, L, O, U; what people misread is read as what was meant.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
PIN_LENGTH = 12
END_SALT = "end a pin"


def issue_pin(
    person: Person, *, actor: Person, ticket: Ticket | None = None, valid: timedelta = VALID
) -> str:
    """A new PIN for a customer, to be shown this once: XXXX-XXXX-XXXX. Earlier ones of theirs that
    nobody has used end. `ticket` is where it was issued; its history says so."""
    if not actor.is_staff:
        raise Refused("Only staff issue PINs.")
    if not may_have_pin(person):
        raise Refused(
            "A PIN signs in customers whose account is active, and nobody else.", "person"
        )
    mailbox = ticket.mailbox if ticket else default_mailbox()
    if mailbox is None:
        raise Refused("There is no mailbox to tell the customer from.")
    typed = "".join(secrets.choice(ALPHABET) for _ in range(PIN_LENGTH))
    with transaction.atomic():
        now = timezone.now()
        SupportPin.objects.filter(person=person, used_at=None, revoked_at=None).update(
            revoked_at=now
        )
        pin = SupportPin.objects.create(
            person=person,
            pin_hmac=_hmac(typed),
            issued_by=actor,
            ticket=ticket,
            created_at=now,
            expires_at=now + valid,
        )
        notify.pin_issued(pin, mailbox, _end_link(pin))
        if ticket:
            record(ticket, "pin-issued", actor, name=str(person))
    return "-".join(typed[start : start + 4] for start in range(0, PIN_LENGTH, 4))


def take_pin(typed: str, *, client: str) -> Person:
    """The customer whose PIN that is, as its issuer may see them (`let_in_by`); it is used up in
    the caller's transaction, or in one of its own.

    Refused in the same words whatever is wrong with it. Raises Throttled.
    """
    from_client = f"pin-failed-from {throttle.client_key(client)}"
    throttle.check(from_client, 10, timedelta(minutes=15))
    pin = _by_staff().filter(pin_hmac=_hmac(normal_pin(typed))).first()
    if pin is not None and may_have_pin(pin.person):
        with transaction.atomic():
            now = timezone.now()
            free = SupportPin.objects.filter(
                pk=pin.pk, used_at=None, revoked_at=None, expires_at__gt=now
            )
            if free.update(used_at=now, used_from=client[:100]):
                pin.used_at = now
                mailbox = (
                    pin.ticket.mailbox
                    if pin.ticket
                    else Mailbox.objects.order_by("-is_active", "pk")[0]
                )
                notify.pin_used(pin, mailbox, _end_link(pin))
                if pin.ticket:
                    record(pin.ticket, "pin-used", pin.person, issuer=str(pin.issued_by or ""))
                pin.person.let_in_by = pin
                return pin.person
    throttle.count(from_client)
    raise Refused("This PIN is not right, or not valid any more.", "pin")


def pin_to_end(token: str) -> SupportPin | None:
    """The PIN that a link in a mail about it ends; None for a link that is none of ours."""
    try:
        return (
            SupportPin.objects.select_related("person", "issued_by", "ticket")
            .filter(pk=signing.loads(token, salt=END_SALT))
            .first()
        )
    except signing.BadSignature:
        return None


def end_pin(pin: SupportPin) -> None:
    """Its customer does not want it: nobody signs in with it any more, and whoever has is signed
    out."""
    with transaction.atomic():
        if (
            SupportPin.objects.filter(pk=pin.pk, revoked_at=None).update(revoked_at=timezone.now())
            and pin.ticket
        ):
            record(pin.ticket, "pin-ended", pin.person, issuer=str(pin.issued_by or ""))


def still_lets_in(pk: int) -> SupportPin | None:
    """The PIN by which a session or a token came in; None once it was ended, or its issuer is of
    the staff no more."""
    return _by_staff().filter(pk=pk, revoked_at=None, used_at__isnull=False).first()


def holds(pin: SupportPin) -> bool:
    """The same of one that was read with its issuer."""
    issuer = pin.issued_by
    return pin.revoked_at is None and issuer is not None and issuer.is_staff


def _by_staff() -> QuerySet[SupportPin]:
    found = SupportPin.objects.select_related("person", "issued_by", "ticket__mailbox__identity")
    return found.filter(issued_by__is_active=True, issued_by__role__in=STAFF_ROLES)


def may_have_pin(person: Person) -> bool:
    """Active customers who can be told of it, and nobody who shares an address with staff or with
    ourselves."""
    if (
        not person.is_active
        or person.role != Person.Role.USER
        or not people.can_be_written_to(person)
    ):
        return False
    theirs = [person.email, *person.addresses.values_list("address", flat=True)]
    if any(found.role in STAFF_ROLES for found in people.find_all(theirs).values()):
        return False
    return not Mailbox.objects.filter(address__in=theirs).exists()


def normal_pin(typed: str) -> str:
    """What was meant: no spaces or hyphens, O for zero, I and L for one."""
    return typed.upper().replace("-", "").replace(" ", "").translate(str.maketrans("OIL", "011"))


def _end_link(pin: SupportPin) -> str:
    return settings.PUBLIC_URL + reverse(
        "portal:end_pin", args=[signing.dumps(pin.pk, salt=END_SALT)]
    )


def _hmac(typed: str) -> str:
    return hmac.digest(settings.PIN_KEY.encode(), f"pin {typed}".encode(), hashlib.sha256).hex()
