"""A code or a link that somebody else may have read signs in nobody any more."""

import re
from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.http import base36_to_int

from helpdesk.auth.resets import tokens
from helpdesk.kept_codes import is_code
from helpdesk.models import EmailCode, OutboundMail, Person, Registration

VALID = timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT)
AROUND = timedelta(seconds=30)  # between a link and its mail's row, at the most
MOST = 200  # codes and links that one mail is looked through for


def spend(mail: OutboundMail) -> None:
    """What that secret mail holds, and what was sent before it, is used up."""
    if mail.kind == "code":
        before = Q(created_at__lte=mail.created_at) | Q(same_as__created_at__lte=mail.created_at)
        _codes(mail.to_address).filter(before).update(used_at=timezone.now())
    elif mail.kind == "registration":
        Registration.objects.filter(
            address=mail.to_address, expires_at__lte=mail.expires_at or timezone.now()
        ).delete()
    elif mail.person_id is not None:
        _void(mail.person_id)


def spend_code(address: str, words: str) -> None:
    """Of the codes that were sent to that address, those that stand in `words`."""
    found = re.findall(r"(?<!\d)(?:\d{6}|\d{5}[ \xa0]?\d{5}[ \xa0]?\d{5})(?!\d)", words)[:MOST]
    said = {"".join(filter(str.isdigit, digits)) for digits in found}
    for row in _codes(address) if said else ():
        if any(is_code(row, digits) for digits in said):
            EmailCode.objects.filter(pk=row.pk, used_at=None).update(used_at=timezone.now())


def spend_links(found: Iterable[str]) -> None:
    """Those of the tokens that would set somebody's password."""
    now, clock = timezone.now(), tokens._num_seconds(tokens._now())
    ages = {
        token: timedelta(seconds=clock - base36_to_int(token.partition("-")[0]))
        for token in list(found)[:MOST]
    }
    fresh = {token: now - age for token, age in ages.items() if timedelta(0) <= age <= VALID}
    if not fresh:
        return
    live = OutboundMail.objects.filter(is_secret=True, kind="password_reset", expires_at__gt=now)
    for person, at in live.values_list("person", "created_at"):
        near = [token for token, made in fresh.items() if abs(made - at) < AROUND]
        holder = Person.objects.filter(pk=person).first() if near else None
        if holder and any(tokens.check_token(holder, token) for token in near):
            _void(holder.pk)


def _codes(address: str) -> QuerySet[EmailCode]:
    return EmailCode.objects.filter(address=address, used_at=None, expires_at__gt=timezone.now())


def _void(person: int) -> None:
    Person.objects.filter(pk=person).update(links_void_at=timezone.now())
