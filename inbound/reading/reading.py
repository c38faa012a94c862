"""Everything that is understood of one mail, from its bytes and its envelope alone."""

import re
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from inbound.reading import quotes
from inbound.reading.body import safe_html
from inbound.reading.classify import classify
from inbound.reading.dsn import report as read_report
from inbound.reading.language import guess
from inbound.reading.message import (
    Address,
    Attachment,
    DeliveryReport,
    Envelope,
    FailedRecipient,
    Kind,
    ParsedMail,
    Verdict,
)
from inbound.reading.parse import parse
from inbound.reading.sender import Sender, who_writes

MAX_TEXT = 200_000  # characters of each half of a body


@dataclass(frozen=True, slots=True)
class Reading:
    """A mail, understood. Its body is split and its HTML safe to show; `parsed` holds the body no more."""

    parsed: ParsedMail
    sender: Sender
    verdict: Verdict
    verdict_on_return: Verdict  # if it came to the signed return path of a mail of ours: whoever asks knows our keys
    report: DeliveryReport | None
    language: str
    text: str
    quoted_text: str
    html: str
    quoted_html: str


def read(raw: bytes, envelope: Envelope, ours: Collection[str]) -> Reading:
    """`ours` are our mailbox addresses in lower case."""
    parsed = parse(raw)
    verdict = classify(parsed, envelope, ours)
    on_return = classify(parsed, envelope, ours, signed_path=True)
    split = _split(parsed)
    if len(split.text) > MAX_TEXT or len(split.quoted_text) > MAX_TEXT:
        # Megabytes are no words to be read on a page: all of it is a file, and its beginning the comment.
        whole = Attachment(len(parsed.attachments) + 10_000, "message.txt", "text/plain", parsed.text.encode())
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
    )


def _split(parsed: ParsedMail) -> quotes.Split:
    """A mail that answers nothing has no history: what looks like one is what its writer wants to show."""
    split = quotes.split(parsed.text, parsed.html)
    if split.quoted_html or parsed.in_reply_to or parsed.references or _ANSWERS.match(parsed.subject):
        return split
    return split._replace(text=parsed.text, quoted_text="") if split.quoted_text else split


# Re: and Fwd: as mail programs of many languages write them.
_ANSWERS = re.compile(
    r"\s*\[?(?:re|aw|antw|antwort|sv|vs|odp|ynt|rv|res|r|ref|fwd?|wg|tr|enc|vl|rif|i|vb|pd|回复|答复|转发)\s?(?:\[\d+\])?\s?[:：]",
    re.IGNORECASE,
)


def pack(reading: Reading) -> tuple[dict[str, Any], list[bytes]]:
    """As JSON, and the attachments' bytes beside it."""
    packed = asdict(reading)
    files = [attachment.pop("data") for attachment in packed["parsed"]["attachments"]]
    date = reading.parsed.date
    packed["parsed"]["date"] = date.isoformat() if date else None
    return packed, files


def unpack(packed: dict[str, Any], files: list[bytes]) -> Reading:
    """The inverse of `pack`."""
    parsed, report, sender = packed["parsed"], packed["report"], packed["sender"]

    def addresses(name: str) -> tuple[Address, ...]:
        return tuple(Address(**found) for found in parsed[name])

    mail = ParsedMail(
        **parsed
        | {
            "from_": Address(**parsed["from_"]),
            "attachments": tuple(
                Attachment(**a, data=data) for a, data in zip(parsed["attachments"], files, strict=True)
            ),
            "date": datetime.fromisoformat(parsed["date"]) if parsed["date"] else None,
        }
        | {name: addresses(name) for name in ("reply_to", "to", "cc")}
        | {name: tuple(parsed[name]) for name in ("in_reply_to", "references", "defects")},
    )
    return Reading(
        **packed
        | {
            "parsed": mail,
            "sender": Sender(Address(**sender["address"]), sender["by"]),
            "verdict": _verdict(packed["verdict"]),
            "verdict_on_return": _verdict(packed["verdict_on_return"]),
            "report": report
            and DeliveryReport(
                tuple(FailedRecipient(**found) for found in report["recipients"]), report["original_message_id"]
            ),
        }
    )


def _verdict(packed: dict[str, Any]) -> Verdict:
    return Verdict(**packed | {"kind": Kind(packed["kind"])})
