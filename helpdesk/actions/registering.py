"""Registering: who proves that they read mail to an address gives it a password.

The proof is a token, which whoever entered the code was given. Clients of an earlier system have
none: for them a verification by the same client is enough to be answered as ever, and for nothing
else. Behind a proxy everybody may be that client, so the account waits for a link in a mail to the
address, and for the password: whoever reads the mail might take it for their own registration.
"""

import hashlib
import hmac
import re
import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from helpdesk import people
from helpdesk.models import Person, Registration, VerifiedAddress
from helpdesk.outbound import notify
from helpdesk.refused import Refused
from inbound.default_mailbox import default_mailbox

VERIFIED_FOR, LINK_FOR = timedelta(minutes=15), timedelta(days=1)
UNVERIFIED = "Verify this address first: /api/send_otp/, then /api/verify_otp/."


def verified(address: str, *, client: str) -> str:
    """Somebody at `client` has shown that they read mail to `address`. The token that proves it."""
    token = secrets.token_urlsafe(24)
    VerifiedAddress.objects.create(
        address=address,
        client=client,
        token_hash=_hash(token),
        expires_at=timezone.now() + VERIFIED_FOR,
    )
    return token


def register(address: str, password: str, *, name: str, username: str, verification: str) -> Person:
    """A customer with a password, by the token of a verification of that address, which is used up.

    Someone who has only written mail so far is given the password, and has their tickets. Refused
    names the field.
    """
    now = timezone.now()
    with transaction.atomic():
        mine = VerifiedAddress.objects.filter(
            address=people.plain(address),
            token_hash=_hash(verification),
            used_at=None,
            expires_at__gt=now,
        )
        # The guarded UPDATE lets one of two requests at once through.
        if not mine.update(used_at=now):
            raise Refused(UNVERIFIED, "email")
        _check_username(username, address)
        person = _who_registers(address) or Person(email=people.plain(address))
        person.set_password(password)
        return _registered(person, name, username)


def ask_to_register(
    address: str, password: str, *, name: str, username: str, client: str, language: str = ""
) -> Person:
    """Without a token: somebody who looks like the customer they will be, and can sign in nowhere
    until `follow_link`. A mail to the address says how, or that there is an account already; the
    answer and the work are the same whoever has the address.

    Refused, naming the field, where that client has not just verified the address; each time it has
    is good for one.
    """
    address, now = people.plain(address), timezone.now()
    with transaction.atomic():
        waiting = VerifiedAddress.objects.filter(
            address=address, client=client, used_at=None, expires_at__gt=now
        )
        latest = waiting.filter(asked_at=None).order_by("-pk").first()
        # Asking leaves the token as it was: whoever else is that client can't use it up.
        if latest is None or not waiting.filter(pk=latest.pk, asked_at=None).update(asked_at=now):
            raise Refused(UNVERIFIED, "email")
        _check_username(username, "")
        person = Person.objects.create_user(
            f"registration-{secrets.token_hex(8)}{people.NOWHERE}",
            password,
            name=name[:200],
            is_active=False,
        )
        _send_link(person, address, username, language, expires_at=now + LINK_FOR)
    person.email, person.username = address, username or None  # as they will be
    return person


def _send_link(
    person: Person, address: str, username: str, language: str, *, expires_at: datetime
) -> None:
    token = secrets.token_urlsafe(24)
    Registration.objects.create(
        person=person,
        address=address,
        username=username,
        token_hash=_hash(token),
        expires_at=expires_at,
    )
    mailbox = default_mailbox("identity")
    if mailbox is None:
        raise Refused("There is no mailbox to send a link from.")
    owner, enters = people.find(address), people.who_signs_in(address)
    notify.registration(
        address,
        owner,
        token,
        mailbox,
        hours=int(LINK_FOR.total_seconds() // 3600),
        expires_at=expires_at,
        is_known=owner is not None and not _is_open_to(owner, enters),
        send=owner is None or owner.is_active,
        language=language,
    )


def waits_for_link(token: str) -> str:
    """The address of a registration whose link can be followed, or ""."""
    return _waiting(token).values_list("address", flat=True).first() or ""


def follow_link(token: str, password: str) -> Person:
    """Opens the account, once. Refused for a link that is not valid any more, and, naming the
    field, for a password that is not the one that was chosen."""
    with transaction.atomic():
        found = _waiting(token).select_related("person").first()
        if found is None:
            raise Refused("This link is not valid any more.")
        if not found.person.check_password(password):
            raise Refused("This is not the password that was chosen.", "password")
        if not _waiting(token).delete()[0]:
            raise Refused("This link is not valid any more.")
        asked = found.person
        person = _who_registers(found.address)
        if person is None:
            asked.email, asked.is_active = found.address, True
            return _registered(asked, asked.name, _free(found.username))
        person.password = asked.password
        name = asked.name
        asked.delete()
        return _registered(person, name, _free(found.username, person))


def _waiting(token: str) -> QuerySet[Registration]:
    return Registration.objects.filter(token_hash=_hash(token), expires_at__gt=timezone.now())


def _who_registers(address: str) -> Person | None:
    """The person who has only written mail so far; None for nobody. Refused for whoever has an
    account."""
    person = people.find(people.plain(address))
    if person is not None and not _is_open_to(person, people.who_signs_in(address)):
        raise Refused(
            "This address is registered already. Sign in, or set a new password.", "email"
        )
    return person


def _is_open_to(person: Person, enters: Person | None) -> bool:
    return (
        person.is_active
        and not person.is_staff
        and not person.has_usable_password()
        and enters == person
    )


def _registered(person: Person, name: str, username: str) -> Person:
    person.name = person.name or name[:200]
    person.username = username or None
    try:
        with transaction.atomic():
            person.save()
    except IntegrityError:  # a mail or another registration was first
        raise Refused("This address or username has just been taken. Try again.", "email") from None
    return person


def _check_username(username: str, address: str) -> None:
    if username and not re.fullmatch(r"[\w.@+-]{1,150}", username):
        raise Refused("A username has letters, digits and @ . + - _ only.", "username")
    owner = people.find(people.plain(address)) if address else None
    if username and not _free(username, owner):
        raise Refused("This username is taken.", "username")


def _free(username: str, owner: Person | None = None) -> str:
    """The username where nobody but its owner has it, or ""."""
    taken = Person.objects.filter(username=username).exclude(pk=owner.pk if owner else 0)
    return "" if taken.exists() else username


def _hash(token: str) -> str:
    return hmac.digest(settings.SECRET_KEY.encode(), token.encode(), hashlib.sha256).hex()
