"""What every action needs: the ticket's lock."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from helpdesk.models import Ticket
from helpdesk.refused import Conflict


@contextmanager
def changing(ticket: Ticket, *, version: int | None = None) -> Iterator[Ticket]:
    """The ticket, locked and read again, in a transaction; saved with a new version where it
    changed.

    `version` is what the caller last saw: Conflict where it is no longer so. None applies to the
    current state. The caller's object is brought up to date.
    """
    with transaction.atomic():
        rows = Ticket.objects.select_related(
            "requester", "assignee", "mailbox__identity", "team", "category"
        )
        if connection.vendor == "postgresql":
            rows = rows.select_for_update(of=("self",), no_key=True)
        current = rows.get(pk=ticket.pk)
        if version is not None and version != current.version:
            raise Conflict(current)
        current.as_saved = _fields(current)  # type: ignore[attr-defined]
        yield current
        # An action within this one has brought `current` up to date, and saved what it changed.
        both = zip(_FIELDS, current.as_saved, _fields(current), strict=True)  # type: ignore[attr-defined]
        if changed := {name for name, before, now in both if before != now}:
            # What a comment changes is no change that somebody else's form could overwrite.
            current.version += bool(changed - _QUIET)
            current.activity_at = timezone.now()
            current.save()
    for name in (*_FIELDS, *_FOLLOWING, "version", "activity_at"):
        setattr(ticket, name, getattr(current, name))
    ticket.as_saved = _fields(ticket)  # type: ignore[attr-defined]


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
