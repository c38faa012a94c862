"""Header values as real mail writes them: encoded words, parameters, addresses, Message-IDs.

The standard library's modern policy raises on some of these and misreads others (an unquoted file
name ends at its first space, a character split over two encoded words is lost), so the grammar that
real mail follows is here.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import unquote_to_bytes

from inbound.reading.charset import clean, decode
from inbound.reading.message import Address

# RFC 2047 section 2, with the spaces inside that some senders leave there.
_ENCODED_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*(?:\?(?!=)[^?]*)*)\?=")
_MESSAGE_ID = re.compile(r"<([^<>]{1,998})>")


def text(raw: str) -> str:
    """A header's value, unfolded and decoded, on one line. `raw` may hold surrogate escapes."""
    if "=?" not in raw:
        return one_line(_eight_bit(raw))
    pieces: list[str] = []
    pending: tuple[str, bytes] | None = None  # adjacent words of one charset are decoded as one
    end = 0
    for match in _ENCODED_WORD.finditer(raw):
        between = raw[end : match.start()]
        charset, data = match[1].split("*")[0], _word_bytes(match[2], match[3])
        if pending and not between.strip() and pending[0].lower() == charset.lower():
            pending = (charset, pending[1] + data)
        else:
            if pending:
                pieces.append(decode(pending[1], pending[0]))
            # RFC 2047 6.2: white space between two encoded words is not part of the text.
            if between.strip() or not pending:
                pieces.append(_eight_bit(between))
            pending = (charset, data)
        end = match.end()
    if pending:
        pieces.append(decode(pending[1], pending[0]))
    pieces.append(_eight_bit(raw[end:]))
    return one_line("".join(pieces))


def one_line(value: str) -> str:
    """White space folded to single spaces, so that no value can begin another header."""
    return " ".join(clean(value).split())


def parameters(raw: str) -> tuple[str, dict[str, str]]:
    """`type/sub; name="a b"; x*0*=…` → ("type/sub", {…}), RFC 2045 5.1 and RFC 2231, leniently."""
    value, _, rest = raw.partition(";")
    found: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[bool, str]]] = {}
    for name, content in _split_parameters(rest):
        section = re.fullmatch(r"([^*]+)(?:\*(\d+))?(\*)?", name)
        if section is None or (section[2] is None and section[3] is None):
            found.setdefault(name, text(content))
        else:
            # "name" and "name*" may stand side by side: the extended form wins below.
            pieces.setdefault(section[1], {})[int(section[2] or 0)] = (bool(section[3]), content)
    for name, parts in pieces.items():
        found[name] = _join_sections([parts[number] for number in sorted(parts)])
    return one_line(value).lower(), found


def addresses(raw: str) -> tuple[Address, ...]:
    """Every address in a header, groups flattened (RFC 5322 3.4), in their order."""
    found: list[Address] = []
    for item in _split_addresses(raw):
        if address := _address(item):
            found.append(address)
    return tuple(found)


def message_ids(raw: str) -> tuple[str, ...]:
    """The ids in a References or In-Reply-To header, without brackets, each once, in their order.

    Where there are no brackets at all, words that look like an id count.
    """
    value = re.sub(r"\s+", " ", _eight_bit(raw))
    ids = [normal_id(match) for match in _MESSAGE_ID.findall(value)]
    if not ids:
        ids = [normal_id(word) for word in value.split() if "@" in word]
    return tuple(dict.fromkeys(found for found in ids if found))


def normal_id(value: str) -> str:
    """A Message-ID as it is stored and compared: white space gone, 500 characters at the most."""
    return clean(re.sub(r"\s+", "", value)).strip("<>")[:500]


def date(raw: str) -> datetime | None:
    """A Date header in UTC, or None where it says no time that exists."""
    try:
        parsed = parsedate_to_datetime(re.sub(r"\s+", " ", raw).strip())
        parsed = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        return parsed.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _eight_bit(value: str) -> str:
    """Raw 8-bit bytes in a header (surrogate escapes after parsing) as text."""
    if value.isascii():
        return value
    return decode(value.encode("utf-8", "surrogateescape"))


def _word_bytes(encoding: str, content: str) -> bytes:
    data = content.encode("ascii", "replace")
    if encoding in "qQ":
        data = data.replace(b"_", b" ")
        return re.sub(rb"=([0-9A-Fa-f]{2})", lambda match: bytes([int(match[1], 16)]), data)
    return from_base64(data)


def from_base64(data: bytes) -> bytes:
    """Base64 that may hold rubbish, white space, or wrong padding: as much as can be read."""
    letters = re.sub(rb"[^A-Za-z0-9+/]", b"", data.partition(b"=")[0] if data.rstrip().endswith(b"=") else data)
    letters = letters[: len(letters) - (len(letters) % 4 == 1)]
    try:
        return base64.b64decode(letters + b"=" * (-len(letters) % 4))
    except binascii.Error:
        return b""


_PARAMETER = re.compile(r"""\s*([^\s=;"]+)\s*=\s*("(?:[^"\\]|\\.)*"?|[^;]*)\s*(?:[^;"]*)(?:;|$)""", re.DOTALL)


def _split_parameters(rest: str) -> Iterator[tuple[str, str]]:
    for match in _PARAMETER.finditer(re.sub(r"\r?\n", "", rest)):
        value = match[2].strip()
        if value.startswith('"'):
            # A backslash before anything but a quote is meant as one: Windows paths.
            value = re.sub(r'\\(["\\])', r"\1", value.strip('"') if value.endswith('"') else value[1:])
        yield match[1].lower(), value


def _join_sections(sections: list[tuple[bool, str]]) -> str:
    charset, data = "", b""
    for number, (extended, content) in enumerate(sections):
        if extended and number == 0 and content.count("'") >= 2:
            charset, _, content = content.split("'", 2)
        raw = content.encode("utf-8", "surrogateescape")
        data += unquote_to_bytes(raw) if extended else raw
    return text(one_line(decode(data, charset)))


def _split_addresses(raw: str) -> Iterator[str]:
    """At commas (and the semicolons Outlook writes) that stand in no quotes, comments or brackets."""
    value = re.sub(r"\r?\n[ \t]*", " ", raw)
    start, quoted, comment, bracket = 0, False, 0, False
    for position, char in enumerate(value):
        if char == '"' and value[position - 1 : position] != "\\" and not comment:
            quoted = not quoted
        elif quoted:
            continue
        elif char == "(":
            comment += 1
        elif char == ")":
            comment = max(0, comment - 1)
        elif char == "<":
            bracket = True
        elif char == ">":
            bracket = False
        elif not comment and not bracket and char in ",;":
            yield value[start:position]
            start = position + 1
        elif not comment and not bracket and char == ":" and "@" not in value[start:position]:
            start = position + 1  # a group's name
    yield value[start:]


def _address(item: str) -> Address | None:
    item = item.strip()
    if not item:
        return None
    bracketed = re.search(r"<([^<>]*)>?\s*(?:\([^)]*\)\s*)?$", item)
    if bracketed:
        spec, name = bracketed[1], item[: bracketed.start()]
    else:
        comment = re.search(r"\(([^()]*)\)\s*$", item)
        spec, name = (item[: comment.start()], comment[1]) if comment else (item, "")
        if "@" not in spec:
            found = re.search(r"[^\s\"'<>()\[\],;:]+@[^\s\"'<>()\[\],;:]+", item)
            if not found:
                return None
            spec = found[0]
    name = name.strip()
    if name.startswith('"') and name.endswith('"') and len(name) > 1:
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    spec = text(spec).replace(" ", "") if '"' not in spec else text(spec)
    spec = spec.removeprefix("mailto:").rpartition(":")[2] if spec.startswith("@") else spec.removeprefix("mailto:")
    spec = spec.strip("<>.,;'")
    if "@" not in spec or len(spec) > 320:
        return None
    return Address(spec.lower(), text(name).strip("'\" ")[:200])
