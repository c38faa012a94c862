"""Delivery reports: who did not get which of our mails, and is it final?

RFC 3464 reports are read as they are defined. Half of the bounces in the wild are not that: there
the recipients are looked for in the words above the returned mail, by what the mail systems write.
"""

import re
from email.message import Message

from inbound.reading import headers
from inbound.reading.message import DeliveryReport, FailedRecipient
from inbound.reading.mime.charset import decode
from inbound.reading.mime.structure import content_type, raw_header, read_structure
from inbound.reading.mime.transfer import payload
from inbound.reading.reports import delivery_status
from inbound.reading.reports.explanation import explanation
from inbound.reading.reports.named_recipients import named_recipients
from inbound.reading.reports.report_text import MAX_TEXT, STATUS

_WARNINGS = (
    r"warning\s+message\s+only",  # sendmail
    r"do\s+not\s+need\s+to\s+resend",  # sendmail, Postfix
    r"not\s+required\s+to\s+(?:take|do)",
    r"no\s+action\s+is\s+required",  # exim
    r"will\s+(?:be\s+retried|(?:keep|continue)\s+(?:to\s+)?(?:try|retry))",  # Google
    r"has\s+been\s+delayed",
    r"delivery\s+(?:is\s+)?delayed",
    r"delayed\s+(?:mail|delivery)",  # Postfix
    r"could\s+not\s+(?:yet\s+)?be\s+delivered\s+for",
    r"not\s+(?:yet\s+)?been\s+delivered",
    r"will\s+continue\s+(?:to\s+be\s+attempted|attempt|for)",
    r"attempts?\s+to\s+deliver\s+(?:the\s+message\s+)?will\s+continue",  # exim
    r"still\s+being\s+(?:tried|attempted)",
    r"transient\s+(?:failure|non-?fatal)",
    r"message\s+is\s+still\s+in\s+the\s+queue",
    r"still\s+undelivered",
    r"retry\s+.{0,30}for\s+another",
)
_WARNING = re.compile("|".join(_WARNINGS), re.IGNORECASE)
_GAVE_UP = re.compile(
    r"gave\s+up|giving\s+up|permanent|i've\s+given\s+up|is\s+the\s+final|returned\s+to\s+sender"
    r"|no\s+further\s+attempt|message\s+expired|will\s+not\s+be\s+retried",
    re.IGNORECASE,
)


_REPLY_CODE = re.compile(r"(?<![\d.:])([45])[0-5]\d(?:[ -]|$)", re.MULTILINE)
_MESSAGE_ID_LINE = re.compile(
    r"^[ \t>]*+Message-ID:\s{0,3}<([^<>\s]{1,998})>", re.IGNORECASE | re.MULTILINE
)


def report(raw: bytes) -> DeliveryReport | None:
    """The report that a bounce makes, or None where nothing in it names a recipient."""
    message = read_structure(raw.lstrip(b"\r\n"))
    found = list(delivery_status.recipients(message)) or _from_words(message)
    if not found:
        return None
    each = {recipient.address: recipient for recipient in found}
    return DeliveryReport(tuple(each.values()), _original_message_id(message))


def _from_words(message: Message) -> list[FailedRecipient]:
    text = explanation(message)
    words = f"{headers.text(raw_header(message, 'subject'))}\n{text}"
    action = "delayed" if _WARNING.search(words) and not _GAVE_UP.search(words) else "failed"
    status = _status(text)
    return [
        FailedRecipient(address, action, status, _near(text, address))
        for address in named_recipients(message, text)
    ]


def _status(text: str) -> str:
    if found := STATUS.search(text):
        return found[0]
    if code := _REPLY_CODE.search(text):
        return f"{code[1]}.0.0"
    return ""


def _near(text: str, address: str) -> str:
    position = text[:MAX_TEXT].lower().find(address)
    return " ".join(text[max(0, position) : position + 400].split())[:300] if position >= 0 else ""


def _original_message_id(message: Message) -> str:
    """The Message-ID of the mail that the report returns, whole, as headers, or as text."""
    for part in message.walk():
        if part is message:
            continue
        if part.get("Message-ID") and (ids := headers.message_ids(str(part["Message-ID"]))):
            return ids[0]
        if content_type(part)[0] in _HOLDS_RETURNED and not part.is_multipart():
            if (found := _id_among_words(part)) is not None:
                return found
    return "" if message.is_multipart() else _id_among_words(message) or ""


_HOLDS_RETURNED = {"text/rfc822-headers", "text/plain", "message/rfc822"}


def _id_among_words(part: Message) -> str | None:
    found = _MESSAGE_ID_LINE.search(decode(payload(part)[:200_000]))
    return headers.normal_id(found[1]) if found else None
