"""Header values as real mail writes them: encoded words, addresses, Message-IDs, dates.

The standard library's modern policy raises on some of these and misreads others (an unquoted file
name ends at its first space, a character split over two encoded words is lost), so the grammar that
real mail follows is here, in `mime.encoded_words` and in `mime.parameters`.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from inbound.reading.message import Address
from inbound.reading.mime.charset import clean, decode
from inbound.reading.mime.encoded_words import encoded_words

MAX_TEXT = 10_000  # characters of a header that is shown; Subject has 998 by RFC 5322 2.1.1
MAX_LIST = 200_000  # characters of a list of addresses or ids
MAX_ITEM = 1_000  # of one address with its name
# RFC 5321 4.5.3.1.3, without the angle brackets: nobody can write to a longer one
MAX_ADDRESS = 254

_MESSAGE_ID = re.compile(r"<([^<>]{1,998})>")


def text(raw: str) -> str:
    """A header's value, unfolded and decoded, on one line. `raw` may hold surrogate escapes."""
    raw = raw[:MAX_TEXT]
    if "=?" not in raw:
        return one_line(_eight_bit(raw))
    pieces: list[str] = []
    pending: list[bytes] = []  # adjacent words of one charset are decoded as one
    label = ""
    end = 0
    for start, stop, charset, data in encoded_words(raw):
        between = raw[end:start]
        if not (pending and not between.strip() and label.lower() == charset.lower()):
            if pending:
                pieces.append(decode(b"".join(pending), label))
            # RFC 2047 6.2: white space between two encoded words is not part of the text.
            if between.strip() or not pending:
                pieces.append(_eight_bit(between))
            pending, label = [], charset
        pending.append(data)
        end = stop
    if pending:
        pieces.append(decode(b"".join(pending), label))
    pieces.append(_eight_bit(raw[end:]))
    return one_line("".join(pieces))


def _eight_bit(value: str) -> str:
    """Raw 8-bit bytes in a header (surrogate escapes after parsing) as text."""
    if value.isascii():
        return value
    return decode(value.encode("utf-8", "surrogateescape"))


def one_line(value: str) -> str:
    """White space folded to single spaces, so that no value can begin another header."""
    return " ".join(clean(value).split())


def message_ids(raw: str) -> tuple[str, ...]:
    """The ids in a References or In-Reply-To header, without brackets, each once, in their order.

    Where there are no brackets at all, words that look like an id count.
    """
    # Of a thread that is too long the newest count; they are the last.
    value = " ".join(_eight_bit(raw[-MAX_LIST:]).split())
    ids = [normal_id(match) for match in _MESSAGE_ID.findall(value)]
    if not ids:
        ids = [normal_id(word) for word in value.split() if "@" in word]
    return tuple(dict.fromkeys(found for found in ids if found))


def normal_id(value: str) -> str:
    """A Message-ID as it is stored and compared: white space gone, 500 characters at the most."""
    return clean("".join(value[:MAX_TEXT].split())).strip("<>")[:500]


def date(raw: str) -> datetime | None:
    """A Date header in UTC, or None where it says no time that exists."""
    try:
        parsed = parsedate_to_datetime(" ".join(raw[:200].split()))
        parsed = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        return parsed.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def addresses(raw: str) -> tuple[Address, ...]:
    """Every address in a header, groups flattened (RFC 5322 3.4), in their order."""
    found: list[Address] = []
    for item in _split_addresses(raw[:MAX_LIST]):
        if address := _address(item):
            found.append(address)
    return tuple(found)


def _split_addresses(raw: str) -> Iterator[str]:
    """At commas (and the semicolons Outlook writes) that stand in no quotes, comments or
    brackets."""
    value = re.sub(r"\r?\n[ \t]*+", " ", raw)
    start, quoted, comment, bracket, has_at, before = 0, False, 0, False, False, ""
    for position, char in enumerate(value):
        if char == '"' and before != "\\" and not comment:
            quoted = not quoted
        elif quoted:
            pass
        elif char == "(":
            comment += 1
        elif char == ")":
            comment = max(0, comment - 1)
        elif char == "<":
            bracket = True
        elif char == ">":
            bracket = False
        elif char == "@":
            has_at = True
        elif not comment and not bracket and char in ",;":
            yield value[start:position]
            start, has_at = position + 1, False
        elif not comment and not bracket and char == ":" and not has_at:
            start = position + 1  # a group's name
        before = char
    yield value[start:]


def _address(item: str) -> Address | None:
    item = item.strip()
    if len(item) > MAX_ITEM:
        item = item[: MAX_ITEM // 2] + item[-MAX_ITEM // 2 :]  # the name first, the address last
    if not item:
        return None
    spec, name = _spec_and_name(item)
    if "@" not in spec:
        word = next((word for word in _NOT_IN_ADDRESSES.split(item) if "@" in word[1:-1]), "")
        if not word:
            return None
        spec = word
    name = name.strip()
    if name.startswith('"') and name.endswith('"') and len(name) > 1:
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    spec = text(spec).replace(" ", "") if '"' not in spec else text(spec)
    spec = (
        spec.removeprefix("mailto:").rpartition(":")[2]
        if spec.startswith("@")
        else spec.removeprefix("mailto:")
    )
    spec = spec.strip("<>.,;'")
    if "@" not in spec or len(spec) > MAX_ADDRESS or _looks_like_ascii(spec):
        return None
    return Address(spec.lower(), text(name).strip("'\" ")[:200])


_NOT_IN_ADDRESSES = re.compile(r"[\s\"'<>()\[\],;:]++")


def _looks_like_ascii(spec: str) -> bool:
    """Whether a letter of it is ASCII only in lower case, as the Kelvin sign is: it would be
    somebody else's address."""
    return not spec.isascii() and any(
        char.lower().isascii() and not char.isascii() for char in spec
    )


def _spec_and_name(item: str) -> tuple[str, str]:
    """`Name <spec>`, `spec (Name)` or a bare spec (RFC 5322 3.4)."""
    begin = item.rfind("<")
    if begin >= 0:
        end = item.find(">", begin)
        return item[begin + 1 : end if end >= 0 else len(item)], item[:begin]
    if item.endswith(")") and (begin := item.rfind("(")) >= 0:
        return item[:begin], item[begin + 1 : -1]
    return item, ""
