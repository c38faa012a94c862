"""Everything that is understood of one mail, from its bytes and its envelope alone."""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace

from inbound.reading import ours as from_us
from inbound.reading import quotes
from inbound.reading.classify import classify
from inbound.reading.dsn import report as read_report
from inbound.reading.forwarded import Forwarded
from inbound.reading.forwarded import find as find_forwarded
from inbound.reading.html.safe import safe_html
from inbound.reading.language import guess
from inbound.reading.lines import with_line_ends
from inbound.reading.message import (
    Attachment,
    DeliveryReport,
    Envelope,
    Kind,
    ParsedMail,
    Verdict,
)
from inbound.reading.parse import parse
from inbound.reading.proofs.claims import NO_CLAIMS, Claims, claims
from inbound.reading.sender import Sender, who_writes

MAX_TEXT = 200_000  # characters of each half of a body


@dataclass(frozen=True, slots=True)
class Reading:
    """A mail, understood. Its body is split and its HTML safe to show; `parsed` holds the body no
    more."""

    parsed: ParsedMail
    sender: Sender
    verdict: Verdict
    # if it came to the signed return path of a mail of ours: whoever asks knows our keys
    verdict_on_return: Verdict
    report: DeliveryReport | None
    language: str
    text: str
    quoted_text: str
    html: str
    quoted_html: str
    claims: Claims = NO_CLAIMS  # what bears on whether the sender is who it says
    forwarded: Forwarded | None = None  # the mail of somebody else that it hands on
    marks: tuple[str, ...] = ()  # of mail that we sent, anywhere in it
    links: tuple[str, ...] = ()  # what looks like one that sets a password, anywhere in it


def read(raw: bytes, envelope: Envelope, ours: Collection[str]) -> Reading:
    """`ours` are our mailbox addresses in lower case."""
    received, raw = raw, with_line_ends(raw)
    parsed = parse(raw)
    verdict = classify(parsed, envelope, ours)
    on_return = classify(parsed, envelope, ours, signed_path=True)
    split = _split(parsed)
    forwarded = find_forwarded(parsed) if verdict.kind is Kind.PERSON else None
    pieces = [
        raw,
        parsed.text.encode(),
        parsed.html.encode(),
        *(found.data for found in parsed.attachments),
    ]
    if len(split.text) > MAX_TEXT or len(split.quoted_text) > MAX_TEXT:
        # Megabytes are no words to be read on a page: all of it is a file, and its beginning the
        # comment.
        whole = Attachment(
            len(parsed.attachments) + 10_000, "message.txt", "text/plain", parsed.text.encode()
        )
        parsed = replace(parsed, attachments=(*parsed.attachments, whole))
        split = split._replace(text=split.text[:MAX_TEXT], quoted_text=split.quoted_text[:MAX_TEXT])
    return Reading(
        parsed=replace(parsed, text="", html=""),
        sender=who_writes(parsed, ours),
        verdict=verdict,
        verdict_on_return=on_return,
        report=read_report(raw) if Kind.BOUNCE in {verdict.kind, on_return.kind} else None,
        language=guess(parsed),
        text=split.text,
        quoted_text=split.quoted_text,
        html=safe_html(split.html) if split.html else "",
        quoted_html=safe_html(split.quoted_html) if split.quoted_html else "",
        claims=claims(received),  # what was signed is what came
        forwarded=forwarded,
        marks=from_us.marks(pieces),
        links=from_us.links(pieces),
    )


def _split(parsed: ParsedMail) -> quotes.Split:
    """A mail that answers nothing has no history: what looks like one is what its writer wants to
    show."""
    split = quotes.split(parsed.text, parsed.html)
    if (
        split.quoted_html
        or parsed.in_reply_to
        or parsed.references
        or _ANSWERS.match(parsed.subject)
    ):
        return split
    return split._replace(text=parsed.text, quoted_text="") if split.quoted_text else split


# Re: and Fwd: as mail programs of many languages write them.
_PREFIXES = (
    "re|aw|antw|antwort|sv|vs|odp|ynt|rv|res|r|ref|fwd?|wg|tr|enc|vl|rif|i|vb|pd|回复|答复|转发"
)
_ANSWERS = re.compile(rf"\s*\[?(?:{_PREFIXES})\s?(?:\[\d+\])?\s?[:：]", re.IGNORECASE)
