"""The messages of an mbox as programs write them: four dialects, many dates, and what is no
separator."""

import os
import random
from collections.abc import Iterator
from io import BytesIO, RawIOBase
from typing import Any

import pytest

from inbound import mbox
from inbound.mbox import Message

LIMIT = 1_000_000
BYTES = int(os.environ.get("MBOX_BYTES", "60_000_000"))
SEPARATOR = b"From ada@example.net Sat Nov 21 09:00:00 2026\n"


def mail(body: bytes = b"Hello\n", subject: str = "x") -> bytes:
    return b"From: ada@example.net\nSubject: " + subject.encode() + b"\n\n" + body


def read(data: bytes, limit: int = LIMIT) -> list[Message]:
    return list(mbox.messages(BytesIO(data), limit))


def raws(data: bytes) -> list[bytes | None]:
    return [message.raw for message in read(data)]


def mboxrd(*mails: bytes) -> bytes:
    def marked(mail: bytes) -> bytes:
        return b"\n".join(
            b">" + line if line.lstrip(b">").startswith(b"From ") else line
            for line in mail.split(b"\n")
        )

    return b"".join(SEPARATOR + marked(mail) + b"\n" for mail in mails)


def mboxo(*mails: bytes) -> bytes:
    return b"".join(SEPARATOR + mail.replace(b"\nFrom ", b"\n>From ") + b"\n" for mail in mails)


def counted(mail: bytes, count: int | None = None) -> bytes:
    head, _, body = mail.partition(b"\n\n")
    return (
        SEPARATOR
        + head
        + b"\nContent-Length: %d\n\n" % (len(body) if count is None else count)
        + body
        + b"\n"
    )


@pytest.mark.parametrize(
    "line",
    [
        "From ada@example.net Sat Nov 21 09:00:00 2026",
        "From ada@example.net  Sat Nov  1  9:00:00 2026",
        "From ada@example.net Sat Nov 21 09:00 2026",
        "From ada@example.net Sat Nov 21 09:00:00 CET 2026",
        "From ada@example.net Sat Nov 21 09:00:00 MET DST 1996",
        "From ada@example.net Sat Nov 21 09:00:00 +0100 2026",
        "From ada@example.net Sat Nov 21 09:00:00 2026 +0100",
        "From ada@example.net Sat Nov 21 09:00 2026 PST",
        "From 1785432109876543210@xxx Mon Jan 01 00:00:00 +0000 2024",
        "From - Mon Jan 01 00:00:00 2024",
        "From ???@??? Mon Jan 01 00:00:00 2024",
        "From MAILER-DAEMON Mon Jan 01 00:00:00 2024",
        "From root Mon Jan  1 00:00:00 2024 remote from vax",
        "From ada at example.net  Mon Jan  1 00:00:00 2024",
        'From "ada king"@example.net Mon Jan  1 00:00:00 2024',
        "From ada@example.net Sat, 21 Nov 2026 09:00:00 +0100",
        "From ada@example.net 21 Nov 2026 09:00:00 GMT",
        "From ada@example.net Sat, 21 Nov 2026 09:00:00 +0100 (CET)",
        "From ada@example.net 21-Nov-2026 09:00:00 +0100",
    ],
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_separator_is_an_address_and_a_date(line: str, end: bytes) -> None:
    first, second = mail().replace(b"\n", end), mail(b"Second\n").replace(b"\n", end)
    assert raws(line.encode() + end + first + end + line.encode() + end + second + end) == [
        first,
        second,
    ]


@pytest.mark.parametrize(
    "line",
    [
        "From here on it smokes.",
        "From Monday on we are closed",
        "From Monday 3 May 2027 09:00",
        "From Ada Sat Nov 21 09:00:00 2026 I had no answer",
        "From: somebody",
        "From ",
        "From the 21 Nov 2026 09:00:00 +0100",
        "From " + "a" * 2000,
    ],
)
def test_a_line_of_a_body_is_none(line: str) -> None:
    first = mail(b"Hello,\n\n" + line.encode() + b"\n\nBye\n")
    assert raws(SEPARATOR + first + b"\n" + SEPARATOR + mail() + b"\n") == [first, mail()]


def test_a_blank_line_may_be_missing_where_a_header_follows() -> None:
    assert raws(SEPARATOR + mail() + SEPARATOR + mail(b"2\n")) == [mail(), mail(b"2\n")]
    one = mail(b"He wrote:\n" + SEPARATOR + b"and nothing more\n")
    assert raws(SEPARATOR + one) == [one]


def test_what_mboxrd_marked_is_as_it_was() -> None:
    bodies = [
        b"From me\n>From you\n>>From them\n>>>From all\n",
        b"> Why?\nFrom Monday on.\n> And then?\n",
        b"a >From b\n",
        b"\n\n" + SEPARATOR + mail() + b"\n",
        b">From\n>Front \n",
    ]
    mails = [mail(body) for body in bodies]
    assert raws(mboxrd(*mails)) == mails


def test_what_mboxo_marked_is_as_it_was_where_that_can_be_told() -> None:
    bodies = [
        b"From me\n\nFrom you\n",
        b">> Ada wrote\n>>From me\n>> to you\n",
        b"a\n" + SEPARATOR + b"b\n",
    ]
    mails = [mail(body) for body in bodies]
    assert raws(mboxo(*mails)) == mails
    # Who leaves "From here" as it is, is no mboxrd.
    left = mail(b"From here\n>>From there\n")
    assert raws(SEPARATOR + left + b"\n") == [left]


def test_a_body_that_is_counted_right_is_taken_by_its_count() -> None:
    inside = mail(b"Look:\n\n" + SEPARATOR + b"and nothing more\n\n>From me\n")
    found = raws(counted(inside) + counted(mail()))
    assert bodies(found) == [inside.partition(b"\n\n")[2], b"Hello\n"]
    marked = raws(counted(mail(b">From me\n")) + counted(mail()))  # mboxcl marks, too
    assert marked[0] is not None
    assert marked[0].endswith(b"\n\nFrom me\n")


def bodies(found: list[bytes | None]) -> list[bytes]:
    return [raw.partition(b"\n\n")[2] for raw in found if raw]


@pytest.mark.parametrize("limit", [LIMIT, 300])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("last", [3, 5])
def test_a_count_of_a_senders_own_swallows_no_mail(last: int, end: bytes, limit: int) -> None:
    """It leads to a separator or to the end of the file, and over the mails between."""
    mails = [mail(b"%d\n" % number, str(number)) for number in range(5)]
    files = [SEPARATOR + mail + b"\n" for mail in mails]
    swallowed = (
        b"".join([mails[0].partition(b"\n\n")[2] + b"\n", *files[1:last]])
        .removesuffix(b"\n")
        .replace(b"\n", end)
    )
    files[0] = counted(mails[0], len(swallowed))
    data = b"".join(files).replace(b"\n", end)
    assert [message.raw for message in read(data, limit)][1:] == [
        mail.replace(b"\n", end) for mail in mails[1:]
    ]
    assert read(data, limit)[0].raw == files[0].removeprefix(SEPARATOR).removesuffix(b"\n").replace(
        b"\n", end
    )


def test_who_leaves_separators_as_they_are_is_believed_from_there_on() -> None:
    plain = mail(b"Look:\n\n" + SEPARATOR + b"and nothing more\n")
    holds_mail = mail(b"Look:\n\n" + SEPARATOR + mail(b"Inner\n") + b"\nBye\n")
    assert len(raws(counted(holds_mail) + counted(mail()))) == 3
    found = raws(counted(plain) + counted(holds_mail) + counted(mail()))
    assert bodies(found) == [made.partition(b"\n\n")[2] for made in (plain, holds_mail, mail())]


@pytest.mark.parametrize("count", [0, 1, 4, 8, 60, 10_000, 10**11, 10**12])
def test_a_count_that_leads_to_no_separator_counts_for_nothing(count: int) -> None:
    found = raws(counted(mail(), count) + SEPARATOR + mail(b"2\n") + b"\n")
    assert [raw.partition(b"\n\n")[2] for raw in found if raw] == [b"Hello\n", b"2\n"]


def test_line_ends_of_all_kinds() -> None:
    for end in (b"\r\n", b"\r"):
        data = mboxrd(mail(b"1\n\nFrom me\n"), mail(b"2\n")).replace(b"\n", end)
        assert raws(data) == [
            mail(b"1\n\nFrom me\n").replace(b"\n", end),
            mail(b"2\n").replace(b"\n", end),
        ]


def test_what_lies_around_the_messages() -> None:
    assert raws(b"") == raws(b"\n\r\n") == []
    assert raws(b"\xef\xbb\xbf\n\n" + mboxrd(mail())) == [mail()]
    assert raws(b"the rest of a mail\n\n" + mboxrd(mail())) == [b"the rest of a mail\n", mail()]
    assert raws(mboxrd(mail()) + b"\0\0 garbage") == [mail() + b"\n\0\0 garbage"]
    assert raws(SEPARATOR + b"\n" + SEPARATOR + mail()) == [b"", mail()]
    assert raws(SEPARATOR + SEPARATOR + mail()) == [b"", mail()]


def test_a_program_with_dates_of_its_own_has_them_in_all_its_separators() -> None:
    separator = b"From ada@example.net Sa Nov 21 09:00:00 2026\n"
    first = mail(b"Hello\n\nFrom here on\n")
    assert raws(separator + first + b"\n" + separator + mail() + b"\n") == [first, mail()]
    assert mbox.begins(separator + mail())


def test_how_an_mbox_begins() -> None:
    assert mbox.begins(SEPARATOR)
    assert mbox.begins(b"\xef\xbb\xbf\r\n" + SEPARATOR)
    assert not mbox.begins(mail())
    assert not mbox.begins(b"From here on\nit smokes\n")
    assert not mbox.begins(b"From ")


@pytest.mark.parametrize("is_counted", [False, True])
def test_one_that_is_too_large_is_passed_over_and_the_others_are_read(is_counted: bool) -> None:
    large = mail(b"a\n\n" * 500_000 + SEPARATOR + b"and nothing more\n", "Large")
    made = counted(large) if is_counted else mboxrd(large)
    small, found, last = read(mboxrd(mail()) + made + mboxrd(mail(b"2\n")))
    assert (small.raw, last.raw) == (mail(), mail(b"2\n"))
    assert (found.number, found.raw) == (2, None)
    assert found.size == len(made) - len(SEPARATOR) - 1
    assert b"Subject: Large" in found.head
    exactly = mail(b"x" * (LIMIT - len(mail(b"\n"))) + b"\n")
    assert raws(mboxrd(exactly, mail())) == [exactly, mail()]
    assert [message.size for message in read(mboxrd(exactly + b"\n")) if message.raw is None] == [
        LIMIT + 1
    ]


class Slowly(RawIOBase):
    """A file that gives out a few bytes at a time, and can't be read out of order."""

    def __init__(self, data: bytes) -> None:
        self._data, self._random = BytesIO(data), random.Random(4)

    def read(self, size: int = -1) -> bytes:
        return self._data.read(self._random.choice([1, 2, 3, 7, 300]))


def test_it_is_read_alike_however_it_comes() -> None:
    mails = [mail(b"a\n\n" * number + b"From me\n", str(number)) for number in range(0, 700, 23)]
    data = mboxrd(*mails) + counted(mails[-1]) + mboxrd(mail(b"x" * 5000))
    file: Any = Slowly(data)
    assert list(mbox.messages(file, 2000)) == read(data, 2000)
    assert raws(mboxrd(*mails)) == mails


class Endless(RawIOBase):
    """An mbox of so many bytes that lies nowhere: mail of all sizes, one of which never ends."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._pieces = self._made()
        self.most = 0

    def read(self, size: int = -1) -> bytes:
        return next(self._pieces, b"")

    def _made(self) -> Iterator[bytes]:
        yield mboxrd(*[mail(b"x\n" * number) for number in range(1000)])
        yield counted(mail(b"y\n" * 1000), 10**9)
        yield SEPARATOR + mail(b"")
        while self._left > 0:
            self._left -= 600_000
            yield (
                b"From me to you: a\n\nFrom \n" * 400
                + b"A line of ordinary length, with nothing in it.\n" * 12_600
            )
        yield b"\n" + SEPARATOR + mail()


def test_no_more_than_one_message_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    held = 0
    reach = mbox.Window.reach

    def watched(window: mbox.Window, length: int) -> bool:
        nonlocal held
        found = reach(window, length)
        held = max(held, len(window.data))
        return found

    monkeypatch.setattr(mbox.Window, "reach", watched)
    file: Any = Endless(BYTES)
    found = list(mbox.messages(file, LIMIT))
    assert len(found) == 1003
    assert [message.size > BYTES for message in found if message.raw is None] == [True]
    assert found[-1].raw == mail()
    assert held < 2 * LIMIT + 1_000_000
