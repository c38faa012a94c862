"""The messages of an mbox, read from its beginning to its end in memory that does not grow with it.

There are four dialects (RFC 4155 describes what they share), and no file says which one it is. What
is told apart:

- A separator is `From `, an address and a date, behind a blank line or before a header field. A
  line of a body that only begins with "From " is none.
- mboxcl and mboxcl2 count the body in Content-Length. It is believed where what it leads to is a
  separator or the end of the file: programs that change a mail forget to count again. And where it
  leads over no mail: a sender writes the field, too, and to lose the mails behind theirs is worse
  than to take one apart that has an mbox in its body.
- mboxo marks `From ` in a body with a ">", mboxrd `>From ` as well, mboxcl2 neither. So one ">"
  comes off, but for the lines that cannot have been marked: see `unquoted`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from inbound.glance import HEAD
from inbound.mbox_lines import (
    ANY,
    BLANK,
    BYTE_ORDER_MARK,
    FIELD,
    LENGTH,
    LINE,
    LINE_ENDS,
    NEWLINES,
    SEPARATOR,
    blank_line_before,
    is_separator,
    next_line,
    unquoted,
)
from inbound.mbox_window import CHUNK, File, Window


@dataclass(slots=True)
class _Dialect:
    separator: "re.Pattern[bytes]"
    # until a body that is counted right holds a separator as it is: then its counts are all there
    # is
    marks: bool = True


@dataclass(frozen=True, slots=True)
class Message:
    """`raw` is None where there are more bytes than were asked for; then `head` is how it
    begins."""

    number: int  # its place in the file, from 1
    size: int
    raw: bytes | None
    head: bytes = b""


def messages(file: File, limit: int) -> Iterator[Message]:
    """Each message without its separator, those of more than `limit` bytes without their content.
    What stands before the first separator is a message, too, unless it is blank. Holds little more
    than `limit` bytes at a time.

    Raises what reading the file raises, once it has given what came whole before."""
    window = Window(file)
    if window.reach(len(BYTE_ORDER_MARK)) and window.data.startswith(BYTE_ORDER_MARK):
        window.drop(len(BYTE_ORDER_MARK))
    _pass_blank(window)
    window.reach(LINE)
    # A program with dates of its own: all its separators have them.
    is_other = window.data.startswith(b"From ") and not SEPARATOR.match(window.data)
    dialect = _Dialect(ANY if is_other else SEPARATOR)
    number = 0
    while window.reach(1):
        window.reach(LINE)
        if number or window.data.startswith(b"From "):
            window.drop(next_line(window.data, 0))
        number += 1
        yield _message(window, dialect, number, limit)
        _pass_blank(window)
    if window.fault:
        raise window.fault


def begins(head: bytes) -> bool:
    """Whether a file that begins so is an mbox: its first line that is not blank is a separator, or
    before a header field, and might be one of a program with dates of its own."""
    head = head.removeprefix(BYTE_ORDER_MARK).lstrip(b"\r\n")
    if not head.startswith(b"From "):
        return False
    return bool(SEPARATOR.match(head) or FIELD.match(head, next_line(head, 0)))


def _message(window: Window, dialect: _Dialect, number: int, limit: int) -> Message:
    """The one that begins where the window does; the window goes on behind it."""
    window.reach(min(HEAD, limit))
    blank = BLANK.search(window.data, 0, HEAD)
    body = blank.end() if blank else 0
    head, began = bytes(window.data[: body or LINE]), window.passed
    counted = _counted_end(window, dialect.separator, head, body, limit)
    end = (
        _end_at_separator(window, dialect, limit)
        if counted is None
        else _end_by_count(window, dialect, limit, counted)
    )
    is_counted = end == counted
    passed = window.passed - began
    if window.fault and end - passed == len(window.data):
        raise window.fault  # it is not whole
    # The blank line before a separator is the mbox's, not the message's.
    size = end if is_counted else end - blank_line_before(window.data, end - passed)
    raw = bytes(window.data[:size]) if size <= limit else None
    window.drop_unread(end - passed)
    if raw is None:
        return Message(number, size, None, head)
    return Message(number, size, unquoted(raw, body, is_counted=is_counted))


def _counted_end(
    window: Window, pattern: "re.Pattern[bytes]", head: bytes, body: int, limit: int
) -> int | None:
    """Where the message ends by its Content-Length, if that leads to an end of a message."""
    found = LENGTH.search(head) if body else None
    if found is None:
        return None
    end = body + int(found[1])
    if end <= limit:
        window.reach(end + LINE)
    around = window.at(end - 1, LINE) or b""
    if around and len(around) < LINE and not around[1:].strip():
        return end  # of the file
    ended = LINE_ENDS.match(around, 1)
    at = ended.end() if ended else 0
    return end if at and around[at - 1] in b"\r\n" and pattern.match(around, at) else None


def _end_by_count(window: Window, dialect: _Dialect, limit: int, counted: int) -> int:
    """`counted`, or where before it another mail begins: behind a blank line, with a header."""
    began, is_held = window.passed, False
    for at in _lines(window, dialect.separator, limit, counted) if dialect.marks else ():
        if blank_line_before(window.data, at):
            if FIELD.match(window.data, next_line(window.data, at)):
                return window.passed - began + at
            is_held = True
    dialect.marks = dialect.marks and not is_held
    return counted


def _end_at_separator(window: Window, dialect: _Dialect, limit: int) -> int:
    """How far it is to the next separator, or to the end."""
    began = window.passed
    for at in _lines(window, dialect.separator, limit):
        if is_separator(window.data, at, dialect.separator):
            return window.passed - began + at
    return window.passed - began + len(window.data)


def _lines(
    window: Window, pattern: "re.Pattern[bytes]", limit: int, until: int | None = None
) -> Iterator[int]:
    """Where in the window each line begins that is written as a separator is, up to `until` bytes
    from here or to the end. Of a message of more than `limit` bytes the window drops what has been
    searched."""
    position = passed = 0
    while True:
        if passed + position > limit + LINE and position > CHUNK:
            window.drop(position - LINE)
            passed, position = passed + position - LINE, LINE
        end = len(window.data) if until is None else min(len(window.data), until - passed)
        found = window.data.find(b"From ", position, end)
        if found >= 0:
            window.reach(found + LINE)
            if (found == 0 or window.data[found - 1] in b"\r\n") and pattern.match(
                window.data, found
            ):
                yield found
            position = found + 1
            continue
        position = max(position, end - len(b"From "))
        if (until is not None and passed + end == until) or not window.reach(len(window.data) + 1):
            return


def _pass_blank(window: Window) -> None:
    while window.reach(1) and (blank := NEWLINES.match(window.data)):
        window.drop(blank.end())
