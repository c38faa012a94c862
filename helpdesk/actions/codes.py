"""One-time codes: sending them, and taking them. They let in customers only, never staff.

What a guesser gets, with as many clients and sessions as they like:

- A code is for the session that asked for it: what others try counts nothing and ends nothing. At
  the API, which has no
  sessions, it is for the network; a telephone changes its own, so others have ELSEWHERE (3) tries,
  which take none of those
  of who asked. So a guesser asks for codes of their own, and has TRIES (5) tries at each, or 3 at
  somebody else's.
- A short code has six digits: a try hits with 1 in 10**6. In any 30 days an account bears
  GUESSES_A_MONTH (80) tries at
  short codes, where each that is out counts as if all 8 were made: 80 / 10**6, or 1 in 12,500.
- Then, and from the seventh code in an hour on, its codes are long, of 15 digits, and whoever asks
  meanwhile shares the one
  that has been mailed: the owner is never locked out, and their mailbox is not flooded. A billion
  tries at long codes hit
  with 1 in 1,000,000.

Together that is below 1 in 10,000 a month.
"""

import hmac
import secrets
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Case, F, IntegerField, Q, Sum, When
from django.utils import timezone

from helpdesk import people, throttle
from helpdesk.actions.common import take_turns
from helpdesk.kept_codes import code_hash
from helpdesk.models import EmailCode, Person
from helpdesk.outbound import notify
from helpdesk.refused import Refused
from inbound.default_mailbox import default_mailbox

VALID, LONG_VALID, LEFT = timedelta(minutes=10), timedelta(minutes=30), timedelta(minutes=10)
TRIES, ELSEWHERE = 5, 3
DAY, HOUR, MONTH = timedelta(days=1), timedelta(hours=1), timedelta(days=30)
GUESSES_A_MONTH = 80
SHORT_AN_HOUR = 6
SHORT, LONG = 6, 15  # digits
NETWORK = "client "  # how the asker begins who is known by nothing but their network


def send_code(
    purpose: str, address: str, *, asker: str, client: str, subject: str = "", language: str = ""
) -> None:
    """Sends a code to the address if one is due there, and says the same in the same time if not.

    `asker` is who can try it: a session, or what stands for one. A code for signing in goes to
    active customers only. Raises Throttled, for what that client does and for nothing else.
    """
    address = people.plain(address)
    throttle.take(f"code-from {throttle.client_key(client)}", 30, HOUR)
    person = people.who_signs_in(address)
    account = person.email if person else address
    wanted = purpose == EmailCode.Purpose.VERIFY or _may_enter(person)
    with transaction.atomic():
        take_turns([f"codes {account}"])
        now = timezone.now()
        is_long = _is_guessed_at(account, now)
        row = EmailCode.objects.create(
            purpose=purpose,
            address=address,
            account=account,
            asker=asker[:100],
            subject=subject[:200],
            is_long=is_long,
            created_at=now,
            expires_at=now + (LONG_VALID if is_long else VALID),
        )
        if is_long and (mailed := _mailed_before(row)):
            EmailCode.objects.filter(pk=row.pk).update(
                same_as=mailed, code_hash=mailed.code_hash, expires_at=mailed.expires_at
            )
            return
        _mail(row, person, wanted=wanted, language=language)


def _mail(row: EmailCode, person: Person | None, *, wanted: bool, language: str) -> None:
    length = LONG if row.is_long else SHORT
    digits = f"{secrets.randbelow(10**length):0{length}d}"
    # For an address that gets no code there is none that would be taken.
    kept = code_hash(row.pk, digits) if wanted else secrets.token_hex(32)
    EmailCode.objects.filter(pk=row.pk).update(code_hash=kept)
    mailbox = default_mailbox("identity")
    if mailbox is None:
        raise Refused("There is no mailbox to send a code from.")
    groups = [digits[start : start + 5] for start in range(0, LONG, 5)]
    notify.code(
        row.address,
        person,
        " ".join(groups) if row.is_long else digits,
        mailbox,
        minutes=int((row.expires_at - row.created_at).total_seconds() // 60),
        expires_at=row.expires_at,
        send=wanted,
        language=language,
    )


def take_code(
    purpose: str, address: str, digits: str, *, asker: str, subject: str = "", use: bool = True
) -> Person | None:
    """Takes the last code that `asker` asked for, once; for a network that asked for none, another
    network's. Returns the person who signs in with that address; None where nobody does (VERIFY
    only).

    Refused for a code that is wrong, old, used, tried too often or for something or somebody else,
    in the same words. With `use` off it is looked at alone, which is a try as well: for two codes
    of which neither is to be used up by a slip in the other.
    """
    address, digits = people.plain(address), "".join(digits.split())
    now = timezone.now()
    out = EmailCode.objects.filter(
        address=address, purpose=purpose, subject=subject[:200], used_at=None, expires_at__gt=now
    )
    row, tries, limit = out.filter(asker=asker[:100]).order_by("-pk").first(), "tries", TRIES
    if row is None and asker.startswith(NETWORK):
        row = out.filter(asker__startswith=NETWORK).order_by("-pk").first()
        tries, limit = "tries_elsewhere", ELSEWHERE
    # Counted before it is compared: of many tries at once each one counts.
    tried = out.filter(pk=row.pk if row else 0, **{f"{tries}__lt": limit}).update(
        **{tries: F(tries) + 1}
    )
    expected = row.code_hash if row else secrets.token_hex(32)
    right = hmac.compare_digest(code_hash(row.same_as_id or row.pk if row else 0, digits), expected)
    free = out.filter(pk=row.pk if row else 0)
    # A right one was no guess.
    if not (
        tried
        and right
        and (not use or (free.update(used_at=now, **{tries: F(tries) - 1}) and _ends(row, now)))
    ):
        raise Refused("This code is not right, or not valid any more.", "otp")
    person = people.who_signs_in(address)
    if purpose != EmailCode.Purpose.VERIFY and not _may_enter(person):
        raise Refused("This code is not right, or not valid any more.", "otp")
    return person


def _ends(row: EmailCode | None, now: datetime) -> bool:
    """A code that several sessions share is good for one of them. The guarded UPDATE of the row
    that was mailed decides."""
    if row is None or not row.is_long:
        return row is not None
    shared = EmailCode.objects.filter(used_at=None)
    if row.same_as_id and not shared.filter(pk=row.same_as_id).update(used_at=now):
        return False
    shared.filter(same_as=row.same_as_id or row.pk).update(used_at=now)
    return True


def _is_guessed_at(account: str, now: datetime) -> bool:
    """Whether one more short code would be one too many for that account."""
    short = EmailCode.objects.filter(account=account, is_long=False)
    live = Q(used_at=None, expires_at__gt=now)
    made = F("tries") + F("tries_elsewhere")
    tries = Sum(Case(When(live, then=TRIES + ELSEWHERE), default=made, output_field=IntegerField()))
    # What was tried in a month was tried at codes that are older by as long as they live.
    guesses = short.filter(created_at__gt=now - MONTH - VALID).aggregate(tries=tries)["tries"] or 0
    return (
        guesses + TRIES + ELSEWHERE > GUESSES_A_MONTH
        or short.filter(created_at__gt=now - HOUR).count() >= SHORT_AN_HOUR
    )


def _mailed_before(row: EmailCode) -> EmailCode | None:
    """The long code that went to the same address for the same thing, while there is time left to
    enter it."""
    mailed = EmailCode.objects.filter(
        account=row.account,
        is_long=True,
        same_as=None,
        used_at=None,
        expires_at__gt=row.created_at + LEFT,
        address=row.address,
        purpose=row.purpose,
        subject=row.subject,
    )
    return mailed.exclude(pk=row.pk).order_by("-pk").first()


def _may_enter(person: Person | None) -> bool:
    return person is not None and person.is_active and person.role == Person.Role.USER
