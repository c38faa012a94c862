"""A header block as signatures see it: its fields as they stand there, and the tags of those that
are signatures (DKIM, RFC 6376; ARC, RFC 8617). What is larger, or more, than any mail program makes
is not looked at."""

import re
from collections.abc import Mapping

MAX_HEAD = 131_072  # bytes of the header block
MAX_FIELDS = 500
MAX_SIGNATURES, MAX_CHAIN = 5, 10

COVERED = ("to", "cc", "in-reply-to", "references")  # whom a mail is for, and what it answers

_NAME = re.compile(r"[a-z0-9._-]+")
_FIELD = re.compile(rb"([\x21-\x39\x3b-\x7e]{1,100})[ \t]*:")

Fields = list[tuple[bytes, bytes]]  # lower-case name and value
Tags = Mapping[str, str]


def fields_of(raw: bytes) -> Fields | None:
    """As they stand there; None where the header block is beyond what is
    checked."""
    head = re.split(rb"\r?\n\r?\n", raw[: MAX_HEAD + 1], maxsplit=1)[0]
    if len(head) > MAX_HEAD or b"\r" in head.replace(b"\r\n", b"") or b"\0" in head:
        # A bare CR ends a line for some readers and not for others: what is signed might not be
        # what is read.
        return None
    fields: list[tuple[bytes, list[bytes]]] = []
    for line in head.split(b"\n"):
        line = line.rstrip(b"\r")
        if line[:1] in {b" ", b"\t"}:
            if fields:
                fields[-1][1].append(line)
        elif match := _FIELD.match(line):
            fields.append((match[1].lower(), [line[match.end() :]]))
        if len(fields) > MAX_FIELDS:
            return None
    return [(name, b"\r\n".join(lines)) for name, lines in fields]


def tags_of(fields: Fields) -> list[dict[str, str]]:
    """The tags (RFC 6376 3.2) of the first signatures and of the ARC chain, each with its
    `header`."""
    found: list[dict[str, str]] = []
    counts = {
        "dkim-signature": MAX_SIGNATURES,
        "arc-message-signature": MAX_CHAIN,
        "arc-seal": MAX_CHAIN,
    }
    for field, value in fields:
        name = text(field)
        if counts.get(name, 0) > 0:
            counts[name] -= 1
            pairs = (part.partition("=") for part in text(value)[:10_000].split(";"))
            found.append(
                {key.strip(): "".join(told.split()) for key, _, told in pairs} | {"header": name}
            )
    return found


def key_name(tags: Tags) -> str:
    """RFC 6376 3.6.2.1."""
    domain, selector = tags.get("d", "").lower(), tags.get("s", "").lower()
    name = f"{selector}._domainkey.{domain}"
    return name if domain and selector and len(name) <= 250 and _NAME.fullmatch(name) else ""


def covers(tags: Tags) -> tuple[str, ...]:
    signed = tags.get("h", "").lower().split(":")
    return tuple(name for name in COVERED if name in signed)


def instance(tags: Tags) -> int:
    found = tags.get("i", "")
    return int(found) if re.fullmatch(r"[0-9]{1,3}", found) else 0


def text(value: bytes) -> str:
    return value.decode("ascii", "replace")
