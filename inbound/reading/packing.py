"""A reading on its way from the process that read the mail: as JSON, and files beside it."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from inbound.reading.forwarded import Forwarded
from inbound.reading.message import (
    Address,
    Attachment,
    DeliveryReport,
    FailedRecipient,
    Kind,
    ParsedMail,
    Verdict,
)
from inbound.reading.proofs.claims import Claims
from inbound.reading.reading import Reading
from inbound.reading.results import Result, Results
from inbound.reading.sender import Sender

Packed = dict[str, Any]


def pack(reading: Reading) -> tuple[Packed, list[bytes]]:
    """As JSON, and the attachments' bytes beside it."""
    packed = asdict(reading)
    files = [attachment.pop("data") for attachment in packed["parsed"]["attachments"]]
    if packed["forwarded"]:
        files += [attachment.pop("data") for attachment in packed["forwarded"]["files"]]
    date = reading.parsed.date
    packed["parsed"]["date"] = date.isoformat() if date else None
    return packed, files


def unpack(packed: Packed, files: list[bytes]) -> Reading:
    """The inverse of `pack`."""
    own = len(packed["parsed"]["attachments"])
    sender, report, forwarded = packed["sender"], packed["report"], packed["forwarded"]
    return Reading(
        **packed
        | {
            "parsed": _mail(packed["parsed"], files[:own]),
            "sender": Sender(Address(**sender["address"]), sender["by"]),
            "marks": tuple(packed["marks"]),
            "links": tuple(packed["links"]),
            "verdict": _verdict(packed["verdict"]),
            "verdict_on_return": _verdict(packed["verdict_on_return"]),
            "forwarded": forwarded and _forwarded(forwarded, files[own:]),
            "claims": unpack_claims(packed["claims"]),
            "report": report and _report(report),
        }
    )


def _mail(packed: Packed, files: list[bytes]) -> ParsedMail:
    date = packed["date"]
    return ParsedMail(
        **packed
        | {
            "from_": Address(**packed["from_"]),
            "attachments": _attachments(packed["attachments"], files),
            "date": datetime.fromisoformat(date) if date else None,
        }
        | {
            name: tuple(Address(**found) for found in packed[name])
            for name in ("reply_to", "to", "cc")
        }
        | {name: tuple(packed[name]) for name in ("in_reply_to", "references", "defects")},
    )


def _forwarded(packed: Packed, files: list[bytes]) -> Forwarded:
    sender = Address(**packed["sender"])
    return Forwarded(**packed | {"sender": sender, "files": _attachments(packed["files"], files)})


def _report(packed: Packed) -> DeliveryReport:
    recipients = tuple(FailedRecipient(**found) for found in packed["recipients"])
    return DeliveryReport(recipients, packed["original_message_id"])


def _attachments(packed: list[Packed], files: list[bytes]) -> tuple[Attachment, ...]:
    return tuple(Attachment(**found, data=data) for found, data in zip(packed, files, strict=True))


def unpack_claims(packed: Packed) -> Claims:
    return Claims(
        **packed
        | {
            "keys": tuple(packed["keys"]),
            "results": tuple(unpack_results(found) for found in packed["results"]),
            "provider": tuple(unpack_results(found) for found in packed["provider"]),
        }
    )


def unpack_results(packed: Packed) -> Results:
    return Results(packed["server"], tuple(Result(**found) for found in packed["found"]))


def _verdict(packed: Packed) -> Verdict:
    return Verdict(**packed | {"kind": Kind(packed["kind"])})
