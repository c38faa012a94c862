"""Bytes → ParsedMail. Never raises on a bad mail: what is wrong with it is listed in `defects`.

Be careful with what comes out of it: From is whatever the sender typed, dates are false, names hold
markup, HTML holds script (`html.safe.safe_html` before showing it), attachments are what they like
to be.

The structure is read with the standard library's compat32 policy, the only one that keeps every
byte; headers, charsets and transfer encodings are decoded here, because real mail breaks them in
ways on which the modern policy raises. Where that finds nothing to show in a mail that has content,
mail-parser is asked for a second opinion.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message

from inbound.reading import headers
from inbound.reading.lines import with_line_ends
from inbound.reading.message import Address, ParsedMail
from inbound.reading.mime.parts import body, collect
from inbound.reading.mime.second_opinion import ask_mail_parser
from inbound.reading.mime.structure import read_structure

KEPT_HEADER_BYTES = 100_000


def parse(raw: bytes) -> ParsedMail:
    raw = _without_junk_before(with_line_ends(raw))
    message = read_structure(raw)
    found = _headers(message)
    parts = collect(message)
    if not parts.segments and not parts.attachments:
        ask_mail_parser(raw, parts)
    text, html = body(parts.segments)
    return ParsedMail(
        from_=_from(found),
        reply_to=headers.addresses(found.all_of("reply-to")),
        to=headers.addresses(found.all_of("to")),
        cc=headers.addresses(found.all_of("cc")),
        subject=(found.decoded.get("subject") or [""])[0][:500],
        message_id=_message_id(found.raw.get("message-id", [])),
        in_reply_to=headers.message_ids(" ".join(found.raw.get("in-reply-to", []))),
        references=headers.message_ids(" ".join(found.raw.get("references", []))),
        date=headers.date((found.raw.get("date") or [""])[0]),
        text=text,
        html=html,
        attachments=tuple(parts.attachments),
        headers=found.decoded,
        defects=tuple(dict.fromkeys([*parts.defects, *_defects(message)])),
    )


def _without_junk_before(raw: bytes) -> bytes:
    """Without blank lines and mbox's "From " line, which would end the headers before they
    begin."""
    raw = raw.lstrip(b"\r\n") if raw[:1] in b"\r\n" else raw
    if raw.startswith((b"From ", b">From ")):
        raw = raw.partition(b"\n")[2]
    return raw


@dataclass
class _Found:
    raw: dict[str, list[str]] = field(default_factory=dict)
    decoded: dict[str, list[str]] = field(default_factory=dict)

    def all_of(self, name: str) -> str:
        """A list of addresses that stands in several fields is one."""
        return ", ".join(self.raw.get(name, []))


def _headers(message: Message) -> _Found:
    found, size = _Found(), 0
    for name, value in message.raw_items():
        value = str(value)
        size += len(name) + len(value)
        name = name.strip().lower()
        # What comes late or is repeated without end is left out; what a mail is placed by is not.
        if size > KEPT_HEADER_BYTES and (name in found.raw or name not in _NEEDED):
            continue
        found.raw.setdefault(name, []).append(value)
        found.decoded.setdefault(name, []).append(headers.text(value))
    return found


_NEEDED = set(
    "from to cc reply-to subject message-id in-reply-to references date content-type".split()
)


def _from(found: _Found) -> Address:
    for name in ("from", "sender", "return-path"):
        if addresses := headers.addresses(found.all_of(name)):
            return addresses[0]
    return Address("")


def _message_id(values: list[str]) -> str:
    for value in values:
        if ids := headers.message_ids(value):
            return ids[0]
        if bare := headers.normal_id(headers.text(value)):
            return bare
    return ""


def _defects(message: Message) -> Iterator[str]:
    for part in message.walk():
        for defect in part.defects:
            yield type(defect).__name__
