"""Where the quoted history starts in lines of plain text, by what mail programs write above it and
by the marks before its lines."""

import itertools
import re

from inbound.reading.quoting.attributions import attribution_lines
from inbound.reading.quoting.closing import signature_start
from inbound.reading.quoting.dividers import is_divider, is_header_block, is_rule

MAX_LINES = 3000  # an answer longer than that is shown whole


def split_text(text: str) -> tuple[str, str]:
    """(new, quoted) of a plain-text body; `new` is empty where all of it is a forward."""
    lines = text.replace("\r\n", "\n").split("\n")
    start = _quote_start(lines)
    start = signature_start(lines, start)
    new, quoted = "\n".join(lines[:start]).strip(), "\n".join(lines[start:]).strip("\n")
    return new, quoted


def _quote_start(lines: list[str]) -> int:
    for number, line in enumerate(lines[:MAX_LINES]):
        if not line.strip():
            continue
        if number == 0 and not attribution_lines(lines, number) and not is_divider(line):
            if _is_marked(line):
                return len(lines)  # begins with a quotation: the answer is below it or between
            continue
        if is_divider(line) or is_header_block(lines, number):
            return _with_rule_before(lines, number)
        if span := attribution_lines(lines, number):
            if _answers_between(lines, number + span):
                return _trailing_quote(lines, len(lines))
            return number
    return _trailing_quote(lines, len(lines))


def _answers_between(lines: list[str], number: int) -> bool:
    """Whether someone wrote between or below the quoted lines that follow."""
    rest = lines[number:]
    begin = next((position for position, line in enumerate(rest) if _is_marked(line)), None)
    if begin is None:
        return False
    end = signature_start(rest, len(rest))
    plain = [
        line
        for line in rest[begin:end]
        if line.strip() and not _is_marked(line) and re.search(r"\w", line)
    ]
    # A quoted line that was wrapped on its way leaves a short stray line; an answer is more than
    # that.
    strays = sum(
        1
        for before, line in itertools.pairwise(rest)
        if _is_marked(before) and len(before) > 60 and line.strip() and not _is_marked(line)
    )
    return len(plain) > strays


def _with_rule_before(lines: list[str], number: int) -> int:
    for back in range(number - 1, max(-1, number - 4), -1):
        if is_rule(lines[back]):
            return back
        if lines[back].strip():
            break
    return number


def _trailing_quote(lines: list[str], end: int) -> int:
    """The start of a block of > lines with nothing but blank lines after it."""
    position = end
    while position and (not lines[position - 1].strip() or _is_marked(lines[position - 1])):
        position -= 1
    if not any(_is_marked(line) for line in lines[position:end]):
        return end
    for span in (1, 2, 3):
        if position >= span and attribution_lines(lines, position - span) == span:
            return position - span
    return position


def _is_marked(line: str) -> bool:
    return line.lstrip().startswith(">")
