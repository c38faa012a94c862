"""Claim by due time, with a fence: how a worker takes a row, and how it lets go of it.

Claiming is one guarded UPDATE that pushes `next_attempt_at` past the hard deadline of the work and
counts the attempt. A killed worker's row becomes due again by itself. Whoever finishes must name the
attempt that it claimed: of two workers, one finishes.
"""

from datetime import timedelta
from typing import Any, TypeVar

from django.db.models import F, Model, QuerySet
from django.utils import timezone

Row = TypeVar("Row", bound=Model)


def claim(rows: "QuerySet[Row]", pk: int, *, lease: timedelta) -> Row | None:
    """The row, claimed; None where it is not due (finished, claimed by another, or pushed forward).

    `rows` names the state in which a row is work. The row comes back as it is after the claim.
    """
    now = timezone.now()
    claimed = rows.filter(pk=pk, next_attempt_at__lte=now).update(
        next_attempt_at=now + lease, attempts=F("attempts") + 1
    )
    return rows.get(pk=pk) if claimed else None


def finish(rows: "QuerySet[Row]", row: Any, **outcome: Any) -> bool:
    """Writes the outcome if the row still stands where this worker claimed it; False otherwise."""
    return rows.filter(pk=row.pk, attempts=row.attempts).update(**outcome) == 1


def back_off(attempts: int, *, first: float = 5.0, longest: float = 3600.0) -> timedelta:
    """How long to wait after the attempt with that number: doubling, from `first` seconds."""
    return timedelta(seconds=min(longest, first * 2 ** max(0, attempts - 1)))
