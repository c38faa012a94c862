"""How a worker leases a row that is due, and how it lets go of it.

Leasing is one guarded UPDATE that pushes `next_attempt_at` past the hard deadline of the work, or
past a short lease that is renewed while the work goes on (tasks.renewing), and counts the attempt.
A killed worker's row becomes due again by itself. Whoever finishes must name the attempt that it
leased: of two workers, one finishes."""

from datetime import timedelta
from typing import Any, TypeVar

from django.db.models import F, Model, QuerySet
from django.db.models.functions import Now

Row = TypeVar("Row", bound=Model)


def lease_row(rows: "QuerySet[Row]", pk: int, *, lease: timedelta, **marks: Any) -> Row | None:
    """The row, leased; None where it is not due (finished, leased by another, or pushed forward).

    `rows` names the state in which a row is work; `marks` are written with the lease. The row comes
    back as it is after it.
    """
    # By the database's clock: a worker whose own is ahead would take what another is at. (SQLite's
    # has milliseconds.)
    leased = rows.filter(pk=pk, next_attempt_at__lte=Now() + timedelta(milliseconds=2)).update(
        next_attempt_at=Now() + lease, attempts=F("attempts") + 1, **marks
    )
    return rows.get(pk=pk) if leased else None


def finish(rows: "QuerySet[Row]", row: Any, **outcome: Any) -> bool:
    """Writes the outcome if the row still stands where this worker leased it; False otherwise."""
    return rows.filter(pk=row.pk, attempts=row.attempts).update(**outcome) == 1


def back_off(attempts: int, *, first: float = 5.0, longest: float = 3600.0) -> timedelta:
    """How long to wait after the attempt with that number: doubling, from `first` seconds."""
    return timedelta(seconds=min(longest, first * 2 ** max(0, attempts - 1)))
