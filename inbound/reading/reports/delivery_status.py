"""The fields of a delivery report (RFC 3464), as mail systems really write them."""

import re
from collections.abc import Iterator
from email.message import Message

from inbound.reading import headers
from inbound.reading.message import FailedRecipient
from inbound.reading.mime.charset import decode
from inbound.reading.mime.structure import content_type
from inbound.reading.mime.transfer import payload
from inbound.reading.reports.report_text import ADDRESS, STATUS, squeezed

_STATUS_PARTS = {"message/delivery-status", "message/global-delivery-status"}


def recipients(message: Message) -> Iterator[FailedRecipient]:
    """Whom the fields name, in their order; one may stand there twice."""
    for part in message.walk():
        if content_type(part)[0] in _STATUS_PARTS:
            for block in _blocks(part):
                if found := _recipient(block):
                    yield found


def _recipient(block: dict[str, str]) -> FailedRecipient | None:
    final = _field_address(block.get("final-recipient", ""))
    original = _field_address(block.get("original-recipient", ""))
    # A final address in a host's own name space ("joe@ims-ms-daemon") says nothing outside it.
    address = final if "." in final.rpartition("@")[2] else original or final
    if not address:
        return None
    action = block.get("action", "failed").split()[:1]
    diagnostic = block.get("diagnostic-code", "")
    status = STATUS.search(block.get("status", "")) or STATUS.search(diagnostic)
    return FailedRecipient(
        address,
        action[0].strip("<>;").lower() if action else "failed",
        status[0] if status else "",
        diagnostic[:500],
    )


def _blocks(part: Message) -> Iterator[dict[str, str]]:
    """The groups of fields of a delivery status (RFC 3464, 2.1), each by lower-case name."""
    inner = part.get_payload()
    if not isinstance(inner, list):
        yield from _loose_blocks(decode(payload(part)))
        return
    for block in inner:
        if isinstance(block, Message):
            items = block.raw_items()
            if fields := {name.lower(): headers.text(str(value)) for name, value in items}:
                yield fields
            # A blank line too many between two fields makes the rest look like a body.
            body = block.__dict__.get("_payload")
            yield from _loose_blocks(body if isinstance(body, str) else "")


def _loose_blocks(text: str) -> Iterator[dict[str, str]]:
    for chunk in re.split(r"\n(?:[ \t]*+\n)++", squeezed(text)):
        folded = re.sub(r"\n[ \t]++", " ", chunk)
        fields = dict(re.findall(r"^([A-Za-z-]{1,60}+)[ \t]*+:[ \t]*+(.*)$", folded, re.MULTILINE))
        if fields:
            yield {name.lower(): headers.one_line(value) for name, value in fields.items()}


def _field_address(value: str) -> str:
    """`rfc822; joe@example.com` → joe@example.com, with what mail systems add or leave out."""
    value = value.partition(";")[2][:1000] or value[:1000]
    if value.strip().upper().startswith("IMCEA"):
        return ""
    found = re.search(ADDRESS, value)
    if found:
        return found[0].lower()
    word = value.strip().strip("<>").split()
    return word[0].lower() if word and len(word) == 1 and re.fullmatch(r"[\w.+-]+", word[0]) else ""
