"""The words of a delivery report, made so that no pattern has anything to run on, and what an
address looks like in them."""

import re

MAX_TEXT = 50_000  # characters of a report's words
MAX_LINE = 1000
_LOCAL = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~.-"
# From the first of its letters, and with as many as an address may have: what is read is not read
# again.
ADDRESS = rf"(?<![{_LOCAL}])[{_LOCAL}]{{1,128}}+@[A-Za-z0-9](?:[A-Za-z0-9.-]{{0,253}}[A-Za-z0-9])?"
STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")  # RFC 3463


def squeezed(text: str) -> str:
    """Short lines, with single blanks and no more than two empty lines between them."""
    cut = (line[:MAX_LINE] for line in text.replace("\r", "").split("\n"))
    lines = (re.sub(r"[ \t\f\v]++", " ", line) for line in cut)
    return re.sub(r"\n(?: ?\n){2,}+", "\n\n\n", "\n".join(lines))[: 4 * MAX_TEXT]
