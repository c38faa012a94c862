"""Business hours: how much open time lies between two instants, and when so much of it has passed.

A span is a stretch of wall clock: an instant is open where the clock in the calendar's zone shows a
time inside a span. When that clock is put back, the times it shows twice are open twice; the times
it skips are no time at all.

Instants are aware datetimes (a naive one is a ValueError) and results are in UTC, exact to the
microsecond.
"""

from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from helpdesk.checks.opening_hours import WHOLE_WEEK, Weekly

Interval = tuple[datetime, datetime]
DAY = timedelta(days=1)
TEN_YEARS = timedelta(days=3653)


@dataclass(frozen=True, slots=True)
class Hours:
    """A working calendar.

    `zone` is an IANA name. `weekly` has seven entries from Monday on, each with the spans (start,
    end) that begin on that day, in minutes of wall clock since its midnight: 0 <= start < 1440,
    start < end <= 2880. An end above 1440 lies on the next day. No span that begins on one of the
    `holidays` (dates in the zone) is open. Spans may overlap; nothing counts twice.
    """

    zone: str
    weekly: Weekly
    holidays: frozenset[date] = frozenset()


ALWAYS = Hours("UTC", WHOLE_WEEK)


def open_between(hours: Hours, start: datetime, end: datetime) -> timedelta:
    """The open time in [start, end); zero where end <= start."""
    # Two datetimes of one zone compare by wall clock, which is wrong where it is put back: UTC
    # first.
    start, end = _utc(start), _utc(end)
    total = timedelta()
    day = start.date()
    while day <= end.date():
        for opens, closes in _open_on(hours, day):
            opens, closes = max(opens, start), min(closes, end)
            if opens < closes:
                total += closes - opens
        day += DAY
    return total


def add(hours: Hours, start: datetime, amount: timedelta) -> datetime | None:
    """The first instant at which `amount` of open time has passed since `start`; `start` itself for
    none.

    None where that is more than ten years (3653 days) away. ValueError for a negative amount.
    """
    if amount < timedelta():
        raise ValueError("the amount of open time is negative")
    start = _utc(start)
    if not amount:
        return start
    if not any(hours.weekly):
        return None
    limit = start + TEN_YEARS
    day = start.date()
    while day <= limit.date():
        for opens, closes in _open_on(hours, day):
            if start < closes:
                opens = max(opens, start)
                if amount <= closes - opens:
                    reached = opens + amount
                    return reached if reached <= limit else None
                amount -= closes - opens
        day += DAY
    return None


def is_open(hours: Hours, at: datetime) -> bool:
    """Whether `at` is open. A span's start is, its end is not."""
    at = _utc(at)
    return any(opens <= at < closes for opens, closes in _open_on(hours, at.date()))


def _utc(at: datetime) -> datetime:
    if at.utcoffset() is None:
        raise ValueError(f"{at} has no zone")
    return at.astimezone(UTC)


# A day of UTC, not of the zone: where a clock is put back over midnight, two local days lie inside
# each other.
@lru_cache(maxsize=8192)
def _open_on(hours: Hours, day: date) -> tuple[Interval, ...]:
    """The open intervals of one day of UTC: in order, apart from each other, cut at its
    midnights."""
    found: list[Interval] = []
    for start, end, offset in _offsets(ZoneInfo(hours.zone), day):
        begins_on = (start + offset).date() - DAY  # its spans may reach into the next day
        while begins_on <= (end + offset).date():
            if begins_on not in hours.holidays:
                midnight = datetime.combine(begins_on, time(), UTC) - offset
                for first, last in hours.weekly[begins_on.weekday()]:
                    opens = max(start, midnight + timedelta(minutes=first))
                    closes = min(end, midnight + timedelta(minutes=last))
                    if opens < closes:
                        found.append((opens, closes))
            begins_on += DAY
    return tuple(_merged(found))


def _offsets(zone: ZoneInfo, day: date) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """One day of UTC in pieces (start, end, offset from UTC) within which the zone's clock runs
    evenly."""

    def offset(at: datetime) -> timedelta:
        found = at.astimezone(zone).utcoffset()
        assert found is not None
        return found

    start = datetime.combine(day, time(), UTC)
    end = start + DAY
    before, after = offset(start), offset(end)
    if before == after:
        yield start, end, before
        return
    # One search is enough: no zone in the database changes twice within three days.
    second = bisect(
        range(24 * 60 * 60),
        False,
        key=lambda passed: offset(start + timedelta(seconds=passed)) != before,
    )
    change = start + timedelta(seconds=second)
    yield start, change, before
    yield change, end, after


def _merged(intervals: list[Interval]) -> Iterator[Interval]:
    current: Interval | None = None
    for opens, closes in sorted(intervals):
        if current is None:
            current = opens, closes
        elif opens <= current[1]:
            current = current[0], max(current[1], closes)
        else:
            yield current
            current = opens, closes
    if current is not None:
        yield current
