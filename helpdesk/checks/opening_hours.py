"""The opening hours of a week, as people write them."""

import itertools
import re
from collections.abc import Iterator
from datetime import date
from zoneinfo import available_timezones

Span = tuple[int, int]  # minutes of wall clock since midnight; see sla.calendar.Hours
Weekly = tuple[tuple[Span, ...], ...]

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MIDNIGHT = 24 * 60  # minutes
WHOLE_WEEK: Weekly = (((0, MIDNIGHT),),) * 7


def problems(
    zone: str, weekly: str, closures: str, country: str, subdivision: str
) -> dict[str, str]:
    """What is wrong with a calendar, by field."""
    found: dict[str, str] = {}
    if zone not in available_timezones():
        found["zone"] = f"There is no time zone {zone!r}. Write it as Europe/Berlin."
    for field, read, text in (
        ("weekly", parse_weekly, weekly),
        ("closures", closed_days, closures),
    ):
        try:
            read(text)
        except ValueError as error:
            found[field] = str(error)
    import holidays  # 0.1 s, and only a calendar's form asks

    known = holidays.list_supported_countries()
    if country and country not in known:
        found["country"] = f"No public holidays are known for {country!r}."
    elif subdivision and country and subdivision not in known[country]:
        found["subdivision"] = f"{country} has: {', '.join(known[country]) or 'none'}."
    return found


def closed_days(text: str) -> list[date]:
    """A day a line, its name behind it. ValueError names the line that is none."""
    days = []
    for line in filter(None, map(str.strip, text.splitlines())):
        try:
            days.append(date.fromisoformat(line.split()[0]))
        except ValueError:
            raise ValueError(f"“{line}” does not begin with a date such as 2026-12-24.") from None
    return days


def parse_weekly(text: str) -> Weekly:
    """The spans of a week from text such as "mon-fri 09:00-12:00, 13:00-17:30; sat 10:00-14:00; sun
    22:00-06:00".

    "always" is the whole week. Entries stand on lines of their own or between semicolons; a day may
    have several. Days are single, lists ("mon, wed") or ranges, which may run over the week's end
    ("sat-mon"). An end that is not after its start lies on the next day; 24:00 is an end too. Spans
    may touch but not overlap. ValueError names what is wrong.
    """
    if text.strip().lower() == "always":
        return WHOLE_WEEK
    week: list[list[Span]] = [[] for _ in DAYS]
    for entry in re.split(r"[;\n]", text.lower()):
        if not entry.strip():
            continue
        parts = re.fullmatch(r"([^0-9]*[^0-9\s])\s+([0-9].*)", entry.strip())
        if not parts:
            raise ValueError(
                f"“{entry.strip()}” is not days and then times, such as mon-fri 09:00-17:00"
            )
        spans = [_read_span(span) for span in parts[2].split(",")]
        for day in _read_days(parts[1]):
            week[day] += spans
    if not any(week):
        raise ValueError("there are no opening hours")
    weekly = tuple(tuple(sorted(spans)) for spans in week)
    _refuse_overlaps(weekly)
    return weekly


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
    placed.append(
        (start + 7 * MIDNIGHT, end + 7 * MIDNIGHT, name)
    )  # Sunday's last span may reach into Monday
    for (_, end, name), (start, _, next_name) in itertools.pairwise(placed):
        if start < end:
            raise ValueError(f"{name} overlaps {next_name}")


def _write_span(span: Span) -> str:
    start, end = span
    if end > MIDNIGHT:
        end -= MIDNIGHT
    return f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"
