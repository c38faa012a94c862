"""How a worker leases a row that is due, and how it lets go of it.

Leasing is one guarded UPDATE that pushes `next_attempt_at` past the hard deadline of the work, or
past a short lease that is renewed while the work goes on (tasks.renewing), and counts the attempt.
A killed worker's row becomes due again by itself. Whoever finishes must name the attempt that it
leased: of two workers, one finishes."""

from collections.abc import Iterable
from datetime import timedelta
from itertools import groupby
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import F, Model, QuerySet
from django.db.models.functions import Now

from inbound.prepared import Prepared

Row = TypeVar("Row", bound=Model)
CLOCKS_DIFFER = timedelta(milliseconds=2)  # SQLite's has milliseconds


def lease_row(rows: "QuerySet[Row]", pk: int, *, lease: timedelta, **marks: Any) -> Row | None:
    """The row, leased; None where it is not due (finished, leased by another, or pushed forward).

    `rows` names the state in which a row is work; `marks` are written with the lease. The row comes
    back as it is after it.
    """
    leased = due(rows).filter(pk=pk).update(**_leased(lease, marks))
    return rows.get(pk=pk) if leased else None


def lease_due(rows: "QuerySet[Row]", at_most: int, *, lease: timedelta, **marks: Any) -> list[Any]:
    """Those that have been due longest, leased together; what another worker is leasing just now is
    passed over. They come back as they were, but for the attempt that is counted."""
    with transaction.atomic():
        longest = due(rows).select_related(None).order_by("next_attempt_at", "pk")
        free = longest.select_for_update(skip_locked=True, of=("self",))
        # Their numbers alone, from the index of what is due: a backlog is not gone through, nor its
        # words and bytes sorted, for a few of it. (Prepared writes the state out, which SQLite's
        # partial index asks for.)
        first = [pk for (pk,) in Prepared(lambda: free.values_list("pk")[:at_most])()]
        found: list[Any] = sorted(rows.filter(pk__in=first), key=lambda row: first.index(row.pk))
        if found:
            every = rows.model._default_manager.filter(pk__in=first)
            every.update(**_leased(lease, marks))
    for row in found:
        row.attempts += 1
    return found


def due(rows: "QuerySet[Row]") -> "QuerySet[Row]":
    """By the database's clock: a worker whose own is ahead would take what another is at."""
    return rows.filter(next_attempt_at__lte=Now() + CLOCKS_DIFFER)


def finish(rows: "QuerySet[Row]", row: Any, **outcome: Any) -> bool:
    """Writes the outcome if the row still stands where this worker leased it; False otherwise."""
    return rows.filter(pk=row.pk, attempts=row.attempts).update(**outcome) == 1


def finish_all(rows: "QuerySet[Any]", held: Iterable[Any], **outcome: Any) -> bool:
    """`finish` for each of them. False where one does not stand there any more: what was written
    of the others is the caller's to take back."""
    return all(
        rows.filter(pk__in=pks, attempts=attempts).update(**outcome) == len(pks)
        for attempts, pks in by_attempt(held)
    )


def by_attempt(held: Iterable[Any]) -> list[tuple[int, list[int]]]:
    """Their ids by the attempt that was leased: mostly it is the first of all of them."""
    ordered = sorted(held, key=_attempts)
    return [(attempts, [row.pk for row in some]) for attempts, some in groupby(ordered, _attempts)]


def back_off(attempts: int, *, first: float = 5.0, longest: float = 3600.0) -> timedelta:
    """How long to wait after the attempt with that number: doubling, from `first` seconds."""
    return timedelta(seconds=min(longest, first * 2 ** max(0, attempts - 1)))


def _leased(lease: timedelta, marks: dict[str, Any]) -> dict[str, Any]:
    return {"next_attempt_at": Now() + lease, "attempts": F("attempts") + 1, **marks}


def _attempts(row: Any) -> int:
    return int(row.attempts)
