"""What a mail is found by, and whom it names, read from its header block alone: reading all of it
comes later, and may fail."""

import hashlib
import logging
import re
from collections.abc import Collection
from dataclasses import dataclass

from inbound.reading import headers
from inbound.reading.lines import with_line_ends

log = logging.getLogger(__name__)

HEAD = 200_000  # bytes in which the header block ends

# Not Subject, To and Date: a list puts its tag there, and the words can be read all the same.
_MEANING = (
    "content-type",
    "content-transfer-encoding",
    "reply-to",
    "in-reply-to",
    "references",
    "auto-submitted",
    "precedence",
    "list-id",
    "x-auto-response-suppress",
)


@dataclass(frozen=True, slots=True)
class Glance:
    """As the row's columns are called."""

    sha256: str
    body_sha256: str
    message_id: str
    from_address: str
    subject: str


def glance_at(raw: bytes) -> Glance:
    """Whatever the bytes, there is an answer: what cannot be read is empty."""
    head, body = _head_and_body(raw)
    try:
        fields = _fields(head, ("message-id", "from", "subject"))
        given = fields.get("message-id", "")
        ids = headers.message_ids(given)
        message_id = ids[0] if ids else headers.normal_id(headers.text(given))
        senders = headers.addresses(fields.get("from", ""))
        sender = senders[0].address if senders else ""
        subject = headers.text(fields.get("subject", ""))[:500]
    except Exception:  # no such mail is known; one that is not stored would stop its transport
        log.exception("the header of a mail of %d bytes cannot be read", len(raw))
        message_id = sender = subject = ""
    return Glance(
        sha256=hashlib.sha256(raw).hexdigest(),
        body_sha256=hashlib.sha256(body.rstrip()).hexdigest(),
        message_id=message_id,
        from_address=sender,
        subject=subject,
    )


def named_recipients(raw: bytes) -> list[str]:
    """Whom the header names, where no envelope does."""
    head, _ = _head_and_body(raw)
    fields = _fields(head, ("delivered-to", "x-original-to", "to", "cc"))
    return [found.address for value in fields.values() for found in headers.addresses(value)]


def meaning(raw: bytes) -> tuple[str, ...]:
    """The header fields without which two mails with the same body are not the same mail."""
    head, _ = _head_and_body(raw)
    fields = _fields(head, _MEANING)
    return tuple(" ".join(fields.get(name, "").split()) for name in _MEANING)


def _head_and_body(raw: bytes) -> tuple[bytes, bytes]:
    raw = with_line_ends(raw)
    end = re.search(rb"\r?\n\r?\n", raw)
    return (raw[: min(end.start(), HEAD)], raw[end.end() :]) if end else (raw[:HEAD], b"")


def _fields(head: bytes, wanted: Collection[str]) -> dict[str, str]:
    """The first of each wanted field, unfolded (RFC 5322 2.2.3)."""
    fields: dict[str, list[str]] = {}
    open_field: list[str] | None = None
    for line in head.decode("ascii", "surrogateescape").split("\n"):
        if line[:1] in {" ", "\t"}:
            if open_field is not None:
                open_field.append(line.strip("\r"))
            continue
        name, colon, value = line.partition(":")
        name, open_field = name.strip().lower(), None
        if colon and name in wanted and name not in fields:
            open_field = fields[name] = [value.strip("\r")]
    return {name: " ".join(lines) for name, lines in fields.items()}
