"""How a worker leases a row that is due, and how it lets go of it.

Leasing is one guarded UPDATE that pushes `next_attempt_at` past the hard deadline of the work, or
past a short lease that is renewed while the work goes on (tasks.renewing), and counts the attempt.
A killed worker's row becomes due again by itself. Whoever finishes must name the attempt that it
leased: of two workers, one finishes."""

from datetime import timedelta
from typing import Any, TypeVar

from django.db import connection, transaction
from django.db.models import F, Model, QuerySet
from django.db.models.functions import Now

Row = TypeVar("Row", bound=Model)
CLOCKS_DIFFER = timedelta(milliseconds=2)  # SQLite's has milliseconds


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


def lease_due(
    rows: "QuerySet[Row]",
    pk: int | None,
    *,
    with_it: "QuerySet[Row] | None",
    most: int,
    lease: timedelta,
) -> list[Row]:
    """The row, if it is due, and `with_it` what else is, those first that have been longest: up to
    `most` of them, leased, in the order of their numbers."""
    with transaction.atomic():
        found = set(_free(rows).filter(pk=pk).values_list("pk", flat=True)) if pk else set()
        if with_it is not None and (found or not pk):
            others = _free(with_it).exclude(pk__in=found).order_by("next_attempt_at")
            found.update(others.values_list("pk", flat=True)[: most - len(found)])
        if not found:
            return []
        leased = rows.filter(pk__in=found)
        leased.update(next_attempt_at=Now() + lease, attempts=F("attempts") + 1)
    return list(leased.order_by("pk"))


def _free(rows: "QuerySet[Row]") -> "QuerySet[Row]":
    """Those that are due and that nobody else is just leasing, locked."""
    if connection.vendor != "postgresql":
        return _due(rows)
    return _due(rows).select_for_update(skip_locked=True, no_key=True)


def _due(rows: "QuerySet[Row]") -> "QuerySet[Row]":
    # By the database's clock: a worker whose own is ahead would take what another is at.
    return rows.select_related(None).filter(next_attempt_at__lte=Now() + CLOCKS_DIFFER)


def finish(rows: "QuerySet[Row]", row: Any, **outcome: Any) -> bool:
    """Writes the outcome if the row still stands where this worker leased it; False otherwise."""
    return rows.filter(pk=row.pk, attempts=row.attempts).update(**outcome) == 1


def back_off(attempts: int, *, first: float = 5.0, longest: float = 3600.0) -> timedelta:
    """How long to wait after the attempt with that number: doubling, from `first` seconds."""
    return timedelta(seconds=min(longest, first * 2 ** max(0, attempts - 1)))
