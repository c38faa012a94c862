"""One clock: it runs, stands still, runs again. Pure: periods and a calendar in, instants out."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from helpdesk.sla.calendar import Hours, add, open_between

Period = tuple[datetime, datetime | None]  # the last one has no end while the clock runs


def reached(hours: Hours, periods: Sequence[Period], amount: timedelta) -> datetime | None:
    """The instant at which the clock has counted `amount` of open time; None where it stands still
    before."""
    left = amount
    for start, end in periods:
        if end is None:
            return add(hours, start, left)
        counted = open_between(hours, start, end)
        if counted >= left and left >= timedelta(0):
            return add(hours, start, left)
        left -= counted
    return None


def counted(hours: Hours, periods: Sequence[Period], now: datetime) -> timedelta:
    """The open time that the clock has counted up to `now`."""
    return sum(
        (open_between(hours, start, min(end or now, now)) for start, end in periods), timedelta(0)
    )


def is_running(periods: Sequence[Period]) -> bool:
    return bool(periods) and periods[-1][1] is None


def read(written: Sequence[Sequence[str | None]]) -> list[Period]:
    return [
        (datetime.fromisoformat(start or ""), datetime.fromisoformat(end) if end else None)
        for start, end in written
    ]


def write(periods: Sequence[Period]) -> list[list[str | None]]:
    return [[start.isoformat(), end.isoformat() if end else None] for start, end in periods]


def started(periods: Sequence[Period], at: datetime) -> list[Period]:
    """Runs from `at`; as it was where it runs already."""
    return list(periods) if is_running(periods) else [*periods, (at, None)]


def stopped(periods: Sequence[Period], at: datetime) -> list[Period]:
    """Stands still from `at`; as it was where it does already."""
    if not is_running(periods):
        return list(periods)
    start = periods[-1][0]
    return [*periods[:-1], (start, max(start, at))]
