"""What every action needs: the ticket's lock."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from helpdesk import changes
from helpdesk.facts import Fact
from helpdesk.models import Ticket
from helpdesk.refused import Conflict
from inbound.prepared import PreparedRows, padded


@contextmanager
def changing(ticket: Ticket, *, version: int | None = None) -> Iterator[Ticket]:
    """The ticket, locked and read again, in a transaction; saved with a new version where it
    changed.

    `version` is what the caller last saw: Conflict where it is no longer so. None applies to the
    current state. The caller's object is brought up to date.
    """
    if (known := _of_this_set(ticket)) is not None:
        yield known
        _save(known)
        return
    with transaction.atomic():
        current = _locked([ticket.pk]).get(ticket.pk)
        if current is None:
            raise Ticket.DoesNotExist(f"there is no ticket {ticket.pk}")
        if version is not None and version != current.version:
            raise Conflict(current)
        yield current
        # An action within this one has brought `current` up to date, and saved what it changed.
        _save(current)
    for name in (*_FIELDS, *_FOLLOWING, "version", "activity_at"):
        setattr(ticket, name, getattr(current, name))
    ticket.as_saved = _fields(ticket)


def _of_this_set(ticket: Ticket) -> Ticket | None:
    """A set of mails has locked its tickets, and there is one object of each."""
    if not (changes.are_gathered() and by_number.is_known(ticket.pk)):
        return None
    if (known := by_number(ticket.pk)) is not None and not hasattr(known, "as_saved"):
        known.as_saved = _fields(known)
    return known


def _locked(numbers: list[int]) -> dict[int, Ticket]:
    """In the order of their numbers, so that no two wait for each other."""
    ask = _for_update if connection.in_atomic_block else _rows
    found = {ticket.pk: ticket for ticket in ask(padded(sorted(numbers)))} if numbers else {}
    for ticket in found.values():
        ticket.as_saved = _fields(ticket)
    return found


def _with_all(numbers: list[int]) -> QuerySet[Ticket]:
    rows = Ticket.objects.filter(pk__in=numbers).order_by("pk")
    return rows.select_related("requester", "assignee", "mailbox__identity", "team", "category")


_rows = PreparedRows(_with_all)
_for_update = PreparedRows(
    lambda numbers: _with_all(numbers).select_for_update(of=("self",), no_key=True)
)


# The ticket with that number; in a transaction it is locked until its end.
by_number: Fact[int, Ticket | None] = Fact(_locked, lambda: None)
by_number.gains(Ticket, lambda ticket: ticket.pk, lambda ticket: ticket)


def _save(current: Ticket) -> None:
    """Writes what was changed since it was saved last."""
    both = zip(_FIELDS, current.as_saved, _fields(current), strict=True)
    if changed := {name for name, before, now in both if before != now}:
        # What a comment changes is no change that somebody else's form could overwrite.
        version = current.version + bool(changed - _QUIET)
        fields = {name: getattr(current, name) for name in changed}
        changes.update(current, **fields, version=version, activity_at=timezone.now())
        current.as_saved = _fields(current)


def take_turns(keys: Iterable[str]) -> None:
    """Inside a transaction: nobody else who names one of these keys goes on meanwhile. SQLite needs
    nothing: its transactions that write are one after the other."""
    if connection.vendor != "postgresql":
        return
    # One order for everybody, so that no two wait for each other.
    numbers = sorted({_number(key) for key in keys if key})
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(n) FROM unnest(%s::bigint[]) AS n", [numbers])


def _number(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big", signed=True)


def touch(current: Ticket) -> None:
    """A new version for a change of what is no field of the ticket, within `changing`."""
    current.version += 1
    current.activity_at = timezone.now()
    current.save(update_fields=["version", "activity_at"])


_FIELDS = (
    "subject",
    "requester_id",
    "mailbox_id",
    "team_id",
    "assignee_id",
    "status",
    "priority",
    "is_spam",
    "follows_id",
    "customer_waits_since",
    "resolved_at",
    "closed_at",
    "category_id",
    "custom",
    "guest_name",
)
_QUIET = {"customer_waits_since", "guest_name"}
# What helpdesk.sla works out from the others.
_FOLLOWING = (
    "sla_policy_id",
    "first_response_due",
    "next_response_due",
    "resolution_due",
    "sla_due_at",
    "sla_check_at",
    "is_breached",
    "first_responded_at",
)


def _fields(ticket: Ticket) -> list[Any]:
    return [copy(getattr(ticket, name)) for name in _FIELDS]
