"""The lines of an mbox: which of them separate messages, where header blocks end, and what a
program has marked in a body."""

import re

LINE = 1_000  # bytes; a longer line is no separator

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_END_OF_LINE = re.compile(rb"\r\n|[\r\n]")
NEWLINES = re.compile(rb"[\r\n]++")
LINE_ENDS = re.compile(rb"(?:\r\n|[\r\n]){0,2}")
BLANK = re.compile(rb"(?:\r\n|\n)\r?\n|\r\r(?!\n)")
FIELD = re.compile(rb"[!-9;-~]{1,100}[ \t]{0,10}:|>From ")
LENGTH = re.compile(
    rb"(?<![^\r\n])content-length:[ \t]{0,10}(\d{1,12})[ \t]{0,10}(?=[\r\n])", re.IGNORECASE
)
_PLAIN = re.compile(rb"(?<![^\r\n])From ")
_MARKED = re.compile(rb"(?<![^\r\n])(>++)From ")

# A separator's parts; pipermail writes "at" in an address.
_ADDRESS = rb'(?:"[^"\r\n]{0,200}"[^\s]{0,300}|[^\s"]{1,400}(?:[ \t]at[ \t][^\s]{1,300})?)'
_DAY = rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_MONTH = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_TIME = rb"\d{1,2}:\d\d(?::\d\d)?"
_ZONE = rb"(?:[ \t]+(?:[+-]\d{4}|[A-Z][A-Za-z]{0,4}(?:[ \t]DST)?))"
_ASCTIME = rb"%b[ \t]+%b[ \t]+\d{1,2}[ \t]+%b%b?[ \t]+\d{4}%b?" % (
    _DAY,
    _MONTH,
    _TIME,
    _ZONE,
    _ZONE,
)
_RFC_2822 = (
    rb"(?:%b,[ \t]*)?\d{1,2}[ \t-]%b[ \t-]\d{4}[ \t]+%b%b?(?:[ \t]+\([^()\r\n]{0,100}\))?"
    % (_DAY, _MONTH, _TIME, _ZONE)
)
# A day in a sentence ("From Monday 3 May 2027 09:00") looks like the second form behind a word.
SEPARATOR = re.compile(
    rb"From[ \t]+(?:%b[ \t]+%b|(?=[^\r\n]{0,500}@|-)%b[ \t]+%b)"
    rb"(?:[ \t]+remote from [^\s]{1,200})?[ \t]{0,100}(?=[\r\n]|\Z)"
    % (_ADDRESS, _ASCTIME, _ADDRESS, _RFC_2822)
)
ANY = re.compile(rb"From [^\r\n]{0,900}(?:\r\n|[\r\n])(?=[!-9;-~]{1,100}[ \t]{0,10}:|>From )")


def is_separator(data: bytearray, at: int, pattern: "re.Pattern[bytes]") -> bool:
    """Whether a line that is written as one is one."""
    is_after_blank = at == 0 or blank_line_before(data, at) > 0
    return is_after_blank or (pattern is SEPARATOR and bool(FIELD.match(data, next_line(data, at))))


def blank_line_before(data: bytearray, end: int) -> int:
    """How many bytes the blank line has that ends there; 0: there is none."""
    tail = bytes(data[max(0, end - 4) : end])
    if tail.endswith((b"\n\r\n", b"\r\n\r\n")) or (end == 2 and tail == b"\r\n"):
        return 2
    return 1 if tail.endswith((b"\n\n", b"\r\r")) or tail in {b"\n", b"\r"} else 0


def next_line(data: bytes | bytearray, at: int) -> int:
    found = _END_OF_LINE.search(data, at)
    return found.end() if found else len(data)


def unquoted(raw: bytes, body: int, *, is_counted: bool) -> bytes:
    """Without the ">" with which a program marked lines of the body, which begins at `body` (0:
    there is none).

    A body in which a `From ` stands as it is comes from a program that counts and marks nothing
    (mboxcl2), or one that marks less than mboxrd: then `>>From ` stood there before. And so it did
    among lines that are quoted as deep, for mboxrd would have made it one deeper than they are.
    """
    text = raw[body:]
    has_plain = bool(_PLAIN.search(text))
    if not body or (is_counted and has_plain):
        return raw

    def without_mark(found: "re.Match[bytes]") -> bytes:
        was_there = len(found[1]) > 1 and (has_plain or _is_among_quoted(text, found))
        return found[0] if was_there else found[0][1:]

    return raw[:body] + _MARKED.sub(without_mark, text)


def _is_among_quoted(text: bytes, found: "re.Match[bytes]") -> bool:
    """Whether the lines before and behind are quoted as deep as this one."""
    before = text[max(0, found.start() - LINE) : found.start()].splitlines()
    return (
        bool(before)
        and before[-1].startswith(found[1])
        and text.startswith(found[1], next_line(text, found.end()))
    )
