"""Everything that is understood of one mail, from its bytes and its envelope alone."""

import re
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from inbound.reading import ours as from_us
from inbound.reading import quotes
from inbound.reading.body import safe_html
from inbound.reading.classify import classify
from inbound.reading.dsn import report as read_report
from inbound.reading.forwarded import Forwarded
from inbound.reading.forwarded import find as find_forwarded
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
from inbound.reading.results import Result, Results
from inbound.reading.sender import Sender, who_writes
from inbound.reading.signatures import NO_CLAIMS, Claims, claims

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
    claims: Claims = NO_CLAIMS  # what bears on whether the sender is who it says
    forwarded: Forwarded | None = None  # the mail of somebody else that it hands on
    marks: tuple[str, ...] = ()  # of mail that we sent, anywhere in it
    links: tuple[str, ...] = ()  # what looks like one that sets a password, anywhere in it


def read(raw: bytes, envelope: Envelope, ours: Collection[str]) -> Reading:
    """`ours` are our mailbox addresses in lower case."""
    parsed = parse(raw)
    verdict = classify(parsed, envelope, ours)
    on_return = classify(parsed, envelope, ours, signed_path=True)
    split = _split(parsed)
    forwarded = find_forwarded(parsed) if verdict.kind is Kind.PERSON else None
    pieces = [raw, parsed.text.encode(), parsed.html.encode(), *(found.data for found in parsed.attachments)]
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
        claims=claims(raw),
        forwarded=forwarded,
        marks=from_us.marks(pieces),
        links=from_us.links(pieces),
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
    if packed["forwarded"]:
        files += [attachment.pop("data") for attachment in packed["forwarded"]["files"]]
    date = reading.parsed.date
    packed["parsed"]["date"] = date.isoformat() if date else None
    return packed, files


def unpack(packed: dict[str, Any], files: list[bytes]) -> Reading:
    """The inverse of `pack`."""
    parsed, report, sender, forwarded = packed["parsed"], packed["report"], packed["sender"], packed["forwarded"]
    own = len(parsed["attachments"])

    def addresses(name: str) -> tuple[Address, ...]:
        return tuple(Address(**found) for found in parsed[name])

    mail = ParsedMail(
        **parsed
        | {
            "from_": Address(**parsed["from_"]),
            "attachments": _attachments(parsed["attachments"], files[:own]),
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
            "marks": tuple(packed["marks"]),
            "links": tuple(packed["links"]),
            "verdict": _verdict(packed["verdict"]),
            "verdict_on_return": _verdict(packed["verdict_on_return"]),
            "forwarded": forwarded
            and Forwarded(
                **forwarded
                | {"sender": Address(**forwarded["sender"]), "files": _attachments(forwarded["files"], files[own:])}
            ),
            "claims": unpack_claims(packed["claims"]),
            "report": report
            and DeliveryReport(
                tuple(FailedRecipient(**found) for found in report["recipients"]), report["original_message_id"]
            ),
        }
    )


def _attachments(packed: list[dict[str, Any]], files: list[bytes]) -> tuple[Attachment, ...]:
    return tuple(Attachment(**found, data=data) for found, data in zip(packed, files, strict=True))


def unpack_claims(packed: dict[str, Any]) -> Claims:
    return Claims(
        **packed
        | {
            "keys": tuple(packed["keys"]),
            "results": tuple(unpack_results(found) for found in packed["results"]),
            "provider": tuple(unpack_results(found) for found in packed["provider"]),
        }
    )


def unpack_results(packed: dict[str, Any]) -> Results:
    return Results(packed["server"], tuple(Result(**found) for found in packed["found"]))


def _verdict(packed: dict[str, Any]) -> Verdict:
    return Verdict(**packed | {"kind": Kind(packed["kind"])})
