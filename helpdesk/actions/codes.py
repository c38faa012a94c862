"""One-time codes: sending them, and taking them. They let in customers only, never staff."""

import hashlib
import hmac
import secrets
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from helpdesk import notify, people, throttle
from helpdesk.actions.common import Refused
from helpdesk.models import EmailCode, Person
from inbound.models import Mailbox

VALID = timedelta(minutes=10)
TRIES = 5
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
# A six-digit code is guessed with a chance of one in a million a try. What an address bears in a month
# keeps the odds below one in twenty thousand, however patient or numerous the guessers are.
FAILURES_A_DAY, FAILURES_A_MONTH = 10, 40


def send_code(purpose: str, address: str, *, client: str, subject: str = "", language: str = "") -> None:
    """Sends a code to the address if one is due there, and says the same in the same time if not.

    A code for signing in goes to active customers only. Raises Throttled.
    """
    address = address.strip().lower()
    throttle.take(f"code-from {throttle.client_key(client)}", 30, HOUR)
    throttle.take(f"code-to {address}", 6, HOUR)
    person = people.who_signs_in(address)
    wanted = purpose == EmailCode.Purpose.VERIFY or _may_enter(person)
    digits = f"{secrets.randbelow(10**6):06d}"
    now = timezone.now()
    with transaction.atomic():
        row = EmailCode.objects.create(
            purpose=purpose, address=address, subject=subject[:200], expires_at=now + VALID, created_at=now
        )
        # For an address that gets no code there is none that would be taken.
        kept = _code_hash(row.pk, digits) if wanted else secrets.token_hex(32)
        EmailCode.objects.filter(pk=row.pk).update(code_hash=kept)
        mailbox = Mailbox.objects.filter(is_active=True).select_related("identity").order_by("pk").first()
        if mailbox is None:
            raise Refused("There is no mailbox to send a code from.")
        notify.code(
            address, person, digits, mailbox, minutes=int(VALID.total_seconds() // 60), expires_at=row.expires_at,
            send=wanted, language=language,
        )  # fmt: skip


def take_code(
    purpose: str, address: str, digits: str, *, client: str, subject: str = "", use: bool = True
) -> Person | None:
    """Takes a code, once. Returns the person with that address; None where it is nobody's (VERIFY only).

    Refused for a code that is wrong, old, used, tried too often or for something else, in the same
    words. Raises Throttled. With `use` off it is looked at alone, which is a try as well: for two codes
    of which neither is to be used up by a slip in the other.
    """
    address, digits = address.strip().lower(), digits.strip().replace(" ", "")
    from_client, at_address = f"code-failed-from {throttle.client_key(client)}", f"code-failed {address}"
    throttle.check(from_client, 50, HOUR)
    throttle.check(at_address, FAILURES_A_DAY, DAY)
    throttle.check(at_address, FAILURES_A_MONTH, 30 * DAY)
    # Counted as a failure first and taken back on success: of many guesses at once each one counts.
    throttle.take(from_client, 50, HOUR)
    mine = throttle.count(at_address)
    throttle.check(at_address, FAILURES_A_DAY + 1, DAY)
    now = timezone.now()
    row = EmailCode.objects.filter(address=address, purpose=purpose).order_by("-pk").first()
    rows = EmailCode.objects.filter(
        pk=row.pk if row else 0, used_at=None, expires_at__gt=now, tries__lt=TRIES, subject=subject[:200]
    )
    tried = rows.update(tries=F("tries") + 1)
    expected = row.code_hash if row else secrets.token_hex(32)
    right = hmac.compare_digest(_code_hash(row.pk if row else 0, digits), expected)
    used = EmailCode.objects.filter(pk=row.pk if row else 0, used_at=None)
    if not (tried and right and (not use or used.update(used_at=now))):
        raise Refused("This code is not right, or not valid any more.", "otp")
    throttle.uncount(mine)
    person = people.who_signs_in(address)
    if purpose != EmailCode.Purpose.VERIFY and not _may_enter(person):
        raise Refused("This code is not right, or not valid any more.", "otp")
    return person


def is_code(row: EmailCode, digits: str) -> bool:
    return hmac.compare_digest(_code_hash(row.pk, digits), row.code_hash)


def _may_enter(person: Person | None) -> bool:
    return person is not None and person.is_active and person.role == Person.Role.USER


def _code_hash(row: int, digits: str) -> str:
    return hmac.digest(settings.PIN_KEY.encode(), f"code {row} {digits}".encode(), hashlib.sha256).hex()
