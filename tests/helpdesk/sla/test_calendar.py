"""Business hours against a clock that is read minute by minute."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpdesk.checks.opening_hours import Weekly, parse_weekly
from helpdesk.sla.calendar import ALWAYS, Hours, add, is_open, open_between

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)
TEN_YEARS = timedelta(days=3653)

# Where clocks change, in UTC, each an oddity of its own.
CHANGES = [
    ("Europe/Berlin", "2024-03-31T01:00"),
    ("Europe/Berlin", "2024-10-27T01:00"),
    ("America/New_York", "2024-03-10T07:00"),
    ("America/New_York", "2024-11-03T06:00"),
    ("Australia/Lord_Howe", "2024-04-06T15:00"),  # half an hour
    ("Australia/Lord_Howe", "2024-10-05T15:30"),
    ("Asia/Kathmandu", "1985-12-31T18:30"),  # a quarter of an hour, at midnight
    ("America/St_Johns", "2010-03-14T03:31"),
    ("America/St_Johns", "2010-11-07T02:31"),  # from 00:01 back to 23:01 of the day before
    ("Africa/Casablanca", "2024-03-10T02:00"),  # back for Ramadan
    ("Africa/Casablanca", "2024-04-14T02:00"),
    ("Pacific/Apia", "2011-12-30T10:00"),  # the 30th of December is left out
    ("Pacific/Kwajalein", "1969-09-30T13:00"),  # almost a whole day comes twice
]
QUIET = [
    ("UTC", "2024-02-29T12:00"),
    ("Asia/Kathmandu", "2024-02-29T00:00"),
    ("America/St_Johns", "2024-02-29T00:00"),
    ("Europe/Berlin", "2023-12-31T23:00"),
]

checked = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def clock_is_open(hours: Hours, at: datetime) -> bool:
    """What somebody sees who looks from the clock on the wall to the opening hours beside it."""
    local = at.astimezone(ZoneInfo(hours.zone))
    minute = local.hour * 60 + local.minute
    today, yesterday = local.date(), local.date() - DAY
    if today not in hours.holidays and any(
        a <= minute < b for a, b in hours.weekly[today.weekday()]
    ):
        return True
    return yesterday not in hours.holidays and any(
        a <= minute + 1440 < b for a, b in hours.weekly[yesterday.weekday()]
    )


def open_minutes(
    hours: Hours, start: datetime, end: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """The open minutes between start and end, the first and the last cut to what lies between."""
    minute = start.replace(second=0, microsecond=0)
    while minute < end:
        if clock_is_open(hours, minute):
            yield max(start, minute), min(end, minute + MINUTE)
        minute += MINUTE


def counted(hours: Hours, start: datetime, end: datetime) -> timedelta:
    return sum((until - since for since, until in open_minutes(hours, start, end)), timedelta())


@st.composite
def weeks(draw: st.DrawFn, longest: int = 2880, per_day: int = 3) -> Weekly:
    starts = st.sampled_from(
        [0, 1, 29, 60, 90, 105, 120, 121, 135, 150, 180, 1380, 1381, 1439]
    ) | st.integers(0, 1439)
    lengths = st.sampled_from([1, 15, 30, 60, 61, 120, 480, 1439]) | st.integers(1, longest)
    spans = st.tuples(starts, lengths).map(lambda span: (span[0], min(2880, sum(span))))
    day = st.lists(spans, max_size=per_day).map(tuple)
    return draw(st.tuples(day, day, day, day, day, day, day))


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Hours, datetime]:
    """A calendar, and an instant near which its clock changes or its day is a rare one."""
    zone, text = draw(st.sampled_from(CHANGES + QUIET))
    near = utc(text)
    days = st.integers(-3, 3).map(lambda days: near.date() + timedelta(days=days))
    hours = Hours(zone, draw(weeks()), draw(st.frozensets(days, max_size=3)))
    return hours, near + draw(durations(-30 * HOUR, 8 * HOUR))


def durations(shortest: timedelta, longest: timedelta) -> st.SearchStrategy[timedelta]:
    whole = st.integers(shortest // MINUTE, longest // MINUTE).map(lambda minutes: minutes * MINUTE)
    return whole | st.timedeltas(shortest, longest)


@pytest.mark.parametrize(("zone", "text"), CHANGES)
def test_the_clocks_change_where_these_tests_look(zone: str, text: str) -> None:
    before, after = (
        (utc(text) - ago).astimezone(ZoneInfo(zone)).utcoffset() for ago in (INSTANT, timedelta())
    )
    assert before != after


@checked
@given(scenes())
def test_an_instant_is_open_where_the_clock_on_the_wall_says_so(
    scene: tuple[Hours, datetime],
) -> None:
    hours, start = scene
    start = start.replace(second=0, microsecond=0)
    for minute in (start + MINUTE * passed for passed in range(30 * 60)):
        expected = clock_is_open(hours, minute)
        assert is_open(hours, minute) == expected, minute
        assert is_open(hours, minute + MINUTE - INSTANT) == expected, minute


@checked
@given(scenes(), durations(-HOUR, 48 * HOUR))
def test_open_time_is_the_sum_of_the_open_minutes(
    scene: tuple[Hours, datetime], length: timedelta
) -> None:
    hours, start = scene
    assert open_between(hours, start, start + length) == counted(hours, start, start + length)


@checked
@given(scenes(), durations(MINUTE, 16 * HOUR))
def test_adding_stops_at_the_first_minute_that_completes_the_amount(
    scene: tuple[Hours, datetime], amount: timedelta
) -> None:
    hours, start = scene
    reached = add(hours, start, amount)
    end, left = start + 48 * HOUR, amount
    for since, until in open_minutes(hours, start, end):
        if left <= until - since:
            assert reached == since + left
            return
        left -= until - since
    assert reached is None or reached > end


@checked
@given(scenes(), durations(timedelta(), 20 * DAY))
def test_the_open_time_until_what_adding_reached_is_the_amount_and_not_an_instant_earlier(
    scene: tuple[Hours, datetime], amount: timedelta
) -> None:
    hours, start = scene
    reached = add(hours, start, amount)
    if reached is None:
        assert open_between(hours, start, start + TEN_YEARS) < amount
    else:
        assert open_between(hours, start, reached) == amount
        if amount:
            assert open_between(hours, start, reached - INSTANT) == amount - INSTANT


@checked
@given(scenes(), durations(timedelta(), 4 * DAY), durations(timedelta(), 4 * DAY))
def test_adding_in_two_steps_or_in_one_is_the_same_and_more_is_later(
    scene: tuple[Hours, datetime], first: timedelta, second: timedelta
) -> None:
    hours, start = scene
    halfway, reached = add(hours, start, first), add(hours, start, first + second)
    if halfway is None or reached is None:
        assert reached is None
    else:
        assert add(hours, halfway, second) == reached
        assert start <= halfway <= reached
        assert (halfway < reached) == (second > timedelta())


@checked
@given(scenes(), durations(timedelta(), 400 * DAY), durations(timedelta(), 9 * DAY))
def test_open_time_adds_up_and_never_exceeds_the_time_that_passes(
    scene: tuple[Hours, datetime], first: timedelta, second: timedelta
) -> None:
    hours, start = scene
    middle, end = start + first, start + first + second
    tail = open_between(hours, middle, end)
    assert open_between(hours, start, middle) + tail == open_between(hours, start, end)
    assert timedelta() <= tail <= second
    assert open_between(hours, end, start) == timedelta()


@pytest.mark.parametrize("zone", ["Africa/Casablanca", "Australia/Lord_Howe"])
def test_a_year_of_open_time_is_the_sum_of_its_minutes(zone: str) -> None:
    weekly = parse_weekly(
        "mon-thu 09:00-12:00, 13:00-17:30; fri 22:00-06:00; sat 23:30-02:10; sun 02:15-02:40"
    )
    hours = Hours(zone, weekly, frozenset({date(2024, 1, 1), date(2024, 2, 29), date(2024, 4, 6)}))
    start, end = utc("2024-01-01T00:00:17"), utc("2025-01-01T00:00:17")
    assert open_between(hours, start, end) == counted(hours, start, end)


OFFICE = parse_weekly("mon-fri 09:00-17:00")
BERLIN = Hours("Europe/Berlin", OFFICE)


@pytest.mark.parametrize(
    ("start", "amount", "reached"),
    [
        ("2024-03-29T15:00", 8 * HOUR, "2024-04-01T14:00"),  # Friday 16:00 CET to Monday 16:00 CEST
        ("2024-02-28T15:30", HOUR, "2024-02-29T08:30"),  # the leap day
        ("2024-06-03T07:00", 8 * HOUR, "2024-06-03T15:00"),  # a day's end, not the next one's start
        ("2024-06-03T07:00", 8 * HOUR + INSTANT, "2024-06-04T07:00:00.000001"),
        (
            "2024-06-01T12:00",
            timedelta(),
            "2024-06-01T12:00",
        ),  # nothing to wait for, although it is Saturday
        ("2024-06-01T12:00", MINUTE, "2024-06-03T07:01"),
    ],
)
def test_adding_by_hand(start: str, amount: timedelta, reached: str) -> None:
    assert add(BERLIN, utc(start), amount) == utc(reached)


def test_results_are_in_utc_whatever_zone_came_in() -> None:
    noon = datetime(2024, 6, 3, 12, tzinfo=ZoneInfo("Asia/Kathmandu"))
    for amount in (timedelta(), HOUR):
        reached = add(ALWAYS, noon, amount)
        assert reached == noon + amount
        assert reached is not None
        assert reached.tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "start", "hours"),
    [
        ("sun 01:00-04:00", "2024-03-31T00:00", 2.0),  # 02:00 to 03:00 is skipped
        ("sun 02:15-02:45", "2024-03-31T00:00", 0.0),
        ("sun 02:30-03:30", "2024-03-31T00:00", 0.5),
        ("sun 01:00-04:00", "2024-10-26T22:00", 4.0),  # 02:00 to 03:00 comes twice
        ("sun 02:15-02:45", "2024-10-26T22:00", 1.0),
        ("sun 02:30-03:30", "2024-10-26T22:00", 1.5),
        ("sat 22:00-02:30", "2024-10-26T12:00", 5.0),
    ],
)
def test_skipped_times_do_not_count_and_repeated_times_count_twice(
    text: str, start: str, hours: float
) -> None:
    calendar = Hours("Europe/Berlin", parse_weekly(text))
    assert open_between(calendar, utc(start), utc(start) + DAY) == hours * HOUR


def test_a_span_inside_the_repeated_hour_opens_twice() -> None:
    calendar = Hours("Europe/Berlin", parse_weekly("sun 02:15-02:45"))
    start = utc("2024-10-27T00:00")
    assert add(calendar, start, 30 * MINUTE) == utc("2024-10-27T00:45")
    assert add(calendar, start, 31 * MINUTE) == utc("2024-10-27T01:16")
    assert not is_open(calendar, utc("2024-10-27T00:45"))


def test_two_datetimes_of_one_zone_are_compared_as_instants() -> None:
    zone = ZoneInfo("Europe/Berlin")
    first = datetime(2024, 10, 27, 2, 30, tzinfo=zone)
    second = datetime(2024, 10, 27, 2, 10, fold=1, tzinfo=zone)
    assert open_between(ALWAYS, first, second) == 40 * MINUTE


def test_a_night_belongs_to_the_day_on_which_it_starts() -> None:
    nights = parse_weekly("fri 22:00-06:00")
    friday = utc("2024-06-07T00:00")
    assert open_between(Hours("UTC", nights), friday, friday + 2 * DAY) == 8 * HOUR
    assert (
        open_between(Hours("UTC", nights, frozenset({date(2024, 6, 8)})), friday, friday + 2 * DAY)
        == 8 * HOUR
    )
    assert (
        open_between(Hours("UTC", nights, frozenset({date(2024, 6, 7)})), friday, friday + 2 * DAY)
        == timedelta()
    )


def test_a_holiday_is_a_date_of_the_zone() -> None:
    calendar = Hours("Asia/Kathmandu", ALWAYS.weekly, frozenset({date(2024, 6, 5)}))
    start, end = utc("2024-06-04T18:15"), utc("2024-06-05T18:15")
    assert open_between(calendar, start - HOUR, end + HOUR) == 2 * HOUR
    assert add(calendar, start - HOUR, 2 * HOUR) == end + HOUR
    assert is_open(calendar, start - INSTANT)
    assert not is_open(calendar, start)


def test_a_date_that_was_left_out_has_no_hours_but_its_night_has_a_morning() -> None:
    start, end = (
        utc("2011-12-28T00:00"),
        utc("2012-01-02T00:00"),
    )  # Apia went from Thursday 29 to Saturday 31
    hours = {
        day: Hours("Pacific/Apia", parse_weekly(f"{day} 22:00-06:00")) for day in ("thu", "fri")
    }
    assert open_between(hours["thu"], start, end) == 2 * HOUR
    assert open_between(hours["fri"], start, end) == 6 * HOUR
    assert (
        open_between(Hours("Pacific/Apia", parse_weekly("fri 06:00-24:00")), start, end)
        == timedelta()
    )


def test_offsets_with_seconds_are_kept() -> None:
    calendar = Hours(
        "Africa/Monrovia", parse_weekly("mon-sun 09:00-10:00")
    )  # 44 minutes 30 seconds behind until 1972
    assert add(calendar, utc("1972-01-06T00:00"), INSTANT) == utc("1972-01-06T09:44:30") + INSTANT
    assert add(calendar, utc("1972-01-08T00:00"), INSTANT) == utc("1972-01-08T09:00") + INSTANT


def test_spans_that_overlap_count_once() -> None:
    calendar = Hours(
        "UTC", (((600, 2880), (540, 660), (720, 780)), ((0, 60), (1380, 1440)), (), (), (), (), ())
    )
    monday = utc("2024-06-03T00:00")
    assert open_between(calendar, monday, monday + 7 * DAY) == 39 * HOUR


def test_ten_years_are_waited_for_and_no_longer() -> None:
    start = utc("2024-06-03T12:00")
    assert add(ALWAYS, start, TEN_YEARS) == start + TEN_YEARS
    assert add(ALWAYS, start, TEN_YEARS + INSTANT) is None
    assert add(Hours("UTC", ((),) * 7), start, INSTANT) is None
    mondays = frozenset(date(2024, 6, 3) + timedelta(weeks=week) for week in range(600))
    assert add(Hours("UTC", parse_weekly("mon 09:00-17:00"), mondays), start, INSTANT) is None


def test_naive_datetimes_and_negative_amounts_are_refused() -> None:
    aware, naive = utc("2024-06-03T12:00"), datetime.combine(date(2024, 6, 3), time(12))
    with pytest.raises(ValueError, match="no zone"):
        is_open(ALWAYS, naive)
    with pytest.raises(ValueError, match="no zone"):
        add(ALWAYS, naive, HOUR)
    with pytest.raises(ValueError, match="no zone"):
        open_between(ALWAYS, naive, aware)
    with pytest.raises(ValueError, match="no zone"):
        open_between(ALWAYS, aware, naive)
    with pytest.raises(ValueError, match="negative"):
        add(ALWAYS, aware, -INSTANT)
