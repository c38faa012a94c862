"""Opening hours as people write them."""

import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from helpdesk.checks.opening_hours import DAYS, WHOLE_WEEK, Weekly, parse_weekly
from tests.helpdesk.sla.test_calendar import checked, weeks


def written_out(weekly: Weekly) -> str:
    """The text that `parse_weekly` reads as `weekly`; "" for a week without spans, which it
    refuses."""
    if weekly == WHOLE_WEEK:
        return "always"
    entries = []
    for spans, group in itertools.groupby(range(7), key=weekly.__getitem__):
        days = list(group)
        if spans:
            names = DAYS[days[0]] if len(days) == 1 else f"{DAYS[days[0]]}-{DAYS[days[-1]]}"
            entries.append(f"{names} {', '.join(clock(*span) for span in spans)}")
    return "; ".join(entries)


def clock(start: int, end: int) -> str:
    end -= 1440 * (end > 1440)
    return f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"


@pytest.mark.parametrize(
    ("text", "weekly", "written"),
    [
        (
            "Mon-Fri 9:00-12:00, 13:00-17:30;sat 10:00-14:00\r\n\r\nfri 22:00-06:00;",
            (
                *[((540, 720), (780, 1050))] * 4,
                ((540, 720), (780, 1050), (1320, 1800)),
                ((600, 840),),
                (),
            ),
            "mon-thu 09:00-12:00, 13:00-17:30; fri 09:00-12:00, 13:00-17:30, 22:00-06:00; sat 10:00-14:00",
        ),
        (
            "sat - mon 00:00 - 01:00",
            (((0, 60),), (), (), (), (), ((0, 60),), ((0, 60),)),
            "mon 00:00-01:00; sat-sun 00:00-01:00",
        ),
        (
            "mon, wed 20:00-24:00; tue 22:00-00:00",
            (((1200, 1440),), ((1320, 1440),), ((1200, 1440),), (), (), (), ()),
            "mon 20:00-24:00; tue 22:00-24:00; wed 20:00-24:00",
        ),
        (
            "mon 13:00-14:00, 12:00-13:00",
            (((720, 780), (780, 840)), *[()] * 6),
            "mon 12:00-13:00, 13:00-14:00",
        ),
        ("mon 12:00-11:59", (((720, 2159),), *[()] * 6), "mon 12:00-11:59"),
        (" Always\n", (((0, 1440),),) * 7, "always"),
        ("mon-sun 00:00-24:00", (((0, 1440),),) * 7, "always"),
        ("mon-sat 00:00-24:00", (*[((0, 1440),)] * 6, ()), "mon-sat 00:00-24:00"),
    ],
)
def test_hours_are_read_and_written(text: str, weekly: Weekly, written: str) -> None:
    assert parse_weekly(text) == weekly
    assert written_out(weekly) == written


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no opening hours"),
        (" ;\n", "no opening hours"),
        ("09:00-17:00", "“09:00-17:00” is not days and then times"),
        ("mon", "“mon” is not days and then times"),
        ("tue 09:00-10:00; mon closed", "“mon closed” is not days and then times"),
        ("monday 09:00-17:00", "“monday” is not a day"),
        ("mon-fry 09:00-17:00", "“fry” is not a day"),
        ("mon-tue-wed 09:00-17:00", "“tue-wed” is not a day"),
        ("mon, 09:00-17:00", "“” is not a day"),
        ("mon 9-17", "“9” is not a time"),
        ("mon 09:00-17:60", "“17:60” is not a time"),
        ("mon 09:00-24:01", "“24:01” is not a time"),
        ("mon 09:00-12:00-17:00", "“12:00-17:00” is not a time"),
        ("mon 09:00 to 17:00", "“09:00 to 17:00” is not a span"),
        ("mon 09:00-10:00,", "“” is not a span"),
        ("mon 24:00-06:00", "“24:00-06:00” starts at 24:00"),
        ("mon 09:00-09:00", "“09:00-09:00” is empty"),
        ("mon 09:00-12:00, 11:59-13:00", "mon 09:00-12:00 overlaps mon 11:59-13:00"),
        ("mon,mon 09:00-12:00", "mon 09:00-12:00 overlaps mon 09:00-12:00"),
        ("tue 05:00-07:00; mon 22:00-06:00", "mon 22:00-06:00 overlaps tue 05:00-07:00"),
        ("sun 22:00-06:00; mon 05:59-07:00", "sun 22:00-06:00 overlaps mon 05:59-07:00"),
    ],
)
def test_what_is_wrong_with_the_hours_is_named(text: str, words: str) -> None:
    with pytest.raises(ValueError) as error:
        parse_weekly(text)
    assert words in str(error.value)


@settings(checked, max_examples=100)
@given(weeks(longest=1439, per_day=1), st.booleans())
@example((((0, 360),), (), (), (), (), (), ((1320, 1800),)), False)
def test_written_hours_are_read_again_unless_two_spans_share_a_minute(
    weekly: Weekly, short: bool
) -> None:
    if short:
        weekly = tuple(tuple((a, a + (b - a) % 300 + 1) for a, b in spans) for spans in weekly)
    minutes = [
        (day * 1440 + m) % 10080
        for day, spans in enumerate(weekly)
        for a, b in spans
        for m in range(a, b)
    ]
    text = written_out(weekly)
    if not minutes:
        assert text == ""
    elif len(set(minutes)) == len(minutes):
        assert parse_weekly(text) == weekly
    else:
        with pytest.raises(ValueError, match="overlaps"):
            parse_weekly(text)
