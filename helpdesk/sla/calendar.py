"""Business hours: how much open time lies between two instants, and when so much of it has passed.

A span is a stretch of wall clock: an instant is open where the clock in the calendar's zone shows a time inside
a span. When that clock is put back, the times it shows twice are open twice; the times it skips are no time at all.

Instants are aware datetimes (a naive one is a ValueError) and results are in UTC, exact to the microsecond.
"""

import itertools
import re
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

Span = tuple[int, int]
Weekly = tuple[tuple[Span, ...], ...]
Interval = tuple[datetime, datetime]

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MIDNIGHT = 24 * 60  # minutes
DAY = timedelta(days=1)
TEN_YEARS = timedelta(days=3653)


@dataclass(frozen=True, slots=True)
class Hours:
    """A working calendar.

    `zone` is an IANA name. `weekly` has seven entries from Monday on, each with the spans (start, end) that begin on
    that day, in minutes of wall clock since its midnight: 0 <= start < 1440, start < end <= 2880. An end above 1440
    lies on the next day. No span that begins on one of the `holidays` (dates in the zone) is open. Spans may overlap;
    nothing counts twice.
    """

    zone: str
    weekly: Weekly
    holidays: frozenset[date] = frozenset()


ALWAYS = Hours("UTC", (((0, MIDNIGHT),),) * 7)


def open_between(hours: Hours, start: datetime, end: datetime) -> timedelta:
    """The open time in [start, end); zero where end <= start."""
    # Two datetimes of one zone compare by wall clock, which is wrong where it is put back: UTC first.
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
    """The first instant at which `amount` of open time has passed since `start`; `start` itself for none.

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


def parse_weekly(text: str) -> Weekly:
    """The spans of a week from text such as "mon-fri 09:00-12:00, 13:00-17:30; sat 10:00-14:00; sun 22:00-06:00".

    "always" is the whole week. Entries stand on lines of their own or between semicolons; a day may have several.
    Days are single, lists ("mon, wed") or ranges, which may run over the week's end ("sat-mon"). An end that is not
    after its start lies on the next day; 24:00 is an end too. Spans may touch but not overlap.
    ValueError names what is wrong.
    """
    if text.strip().lower() == "always":
        return ALWAYS.weekly
    week: list[list[Span]] = [[] for _ in DAYS]
    for entry in re.split(r"[;\n]", text.lower()):
        if not entry.strip():
            continue
        parts = re.fullmatch(r"([^0-9]*[^0-9\s])\s+([0-9].*)", entry.strip())
        if not parts:
            raise ValueError(f"“{entry.strip()}” is not days and then times, such as mon-fri 09:00-17:00")
        spans = [_read_span(span) for span in parts[2].split(",")]
        for day in _read_days(parts[1]):
            week[day] += spans
    if not any(week):
        raise ValueError("there are no opening hours")
    weekly = tuple(tuple(sorted(spans)) for spans in week)
    _refuse_overlaps(weekly)
    return weekly


def format_weekly(weekly: Weekly) -> str:
    """The text that `parse_weekly` reads as `weekly`; "" for a week without spans, which it refuses.

    ValueError for a span that ends a day or more after its start on the next day: no text stands for it.
    """
    if weekly == ALWAYS.weekly:
        return "always"
    entries = []
    for spans, group in itertools.groupby(range(7), key=weekly.__getitem__):
        days = list(group)
        if spans:
            names = DAYS[days[0]] if len(days) == 1 else f"{DAYS[days[0]]}-{DAYS[days[-1]]}"
            entries.append(f"{names} {', '.join(_write_span(span) for span in spans)}")
    return "; ".join(entries)


def _utc(at: datetime) -> datetime:
    if at.utcoffset() is None:
        raise ValueError(f"{at} has no zone")
    return at.astimezone(UTC)


# A day of UTC, not of the zone: where a clock is put back over midnight, two local days lie inside each other.
@lru_cache(maxsize=8192)
def _open_on(hours: Hours, day: date) -> tuple[Interval, ...]:
    """The open intervals of one day of UTC: in order, apart from each other, cut at its midnights."""
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
    """One day of UTC in pieces (start, end, offset from UTC) within which the zone's clock runs evenly."""

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
    second = bisect(range(24 * 60 * 60), False, key=lambda passed: offset(start + timedelta(seconds=passed)) != before)
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


def _read_days(text: str) -> Iterator[int]:
    for part in text.split(","):
        first, dash, last = part.partition("-")
        start = _read_day(first)
        end = _read_day(last) if dash else start
        for step in range((end - start) % 7 + 1):
            yield (start + step) % 7


def _read_day(text: str) -> int:
    if text.strip() not in DAYS:
        raise ValueError(f"“{text.strip()}” is not a day: they are {', '.join(DAYS)}")
    return DAYS.index(text.strip())


def _read_span(text: str) -> Span:
    first, dash, last = text.partition("-")
    if not dash:
        raise ValueError(f"“{text.strip()}” is not a span of time such as 09:00-17:00")
    start, end = _read_time(first), _read_time(last)
    if start == MIDNIGHT:
        raise ValueError(f"“{text.strip()}” starts at 24:00: write it as 00:00 of the next day")
    if start == end:
        raise ValueError(f"“{text.strip()}” is empty: a whole day is 00:00-24:00")
    return (start, end) if start < end else (start, end + MIDNIGHT)


def _read_time(text: str) -> int:
    digits = re.fullmatch(r"([0-9]{1,2}):([0-5][0-9])", text.strip())
    minute = int(digits[1]) * 60 + int(digits[2]) if digits else None
    if minute is None or minute > MIDNIGHT:
        raise ValueError(f"“{text.strip()}” is not a time: they go from 00:00 to 24:00")
    return minute


def _refuse_overlaps(weekly: Weekly) -> None:
    placed = [
        (day * MIDNIGHT + start, day * MIDNIGHT + end, f"{DAYS[day]} {_write_span((start, end))}")
        for day, spans in enumerate(weekly)
        for start, end in spans
    ]
    start, end, name = placed[0]
    placed.append((start + 7 * MIDNIGHT, end + 7 * MIDNIGHT, name))  # Sunday's last span may reach into Monday
    for (_, end, name), (start, _, next_name) in itertools.pairwise(placed):
        if start < end:
            raise ValueError(f"{name} overlaps {next_name}")


def _write_span(span: Span) -> str:
    start, end = span
    if end > MIDNIGHT and end - start >= MIDNIGHT:
        raise ValueError(f"the span from minute {start} to {end} is too long to be written")
    if end > MIDNIGHT:
        end -= MIDNIGHT
    return f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"
