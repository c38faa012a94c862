"""Delivery reports: who did not get which of our mails, and is it final?

RFC 3464 reports are read as they are defined. Half of the bounces in the wild are not that: there the
recipients are looked for in the words above the returned mail, by what the mail systems write.
"""

import re
from collections.abc import Iterator
from email.message import Message

from inbound.reading import headers
from inbound.reading.body import html_to_text
from inbound.reading.charset import clean, decode
from inbound.reading.message import DeliveryReport, FailedRecipient
from inbound.reading.parse import payload
from inbound.reading.structure import content_type, raw_header, read_structure

_LOCAL = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~.-"
# From the first of its letters, and with as many as an address may have: what is read is not read again.
_ADDRESS = rf"(?<![{_LOCAL}])[{_LOCAL}]{{1,128}}+@[A-Za-z0-9](?:[A-Za-z0-9.-]{{0,253}}[A-Za-z0-9])?"
MAX_TEXT = 50_000  # characters of a report's words
MAX_NAMED = 50  # recipients that are looked for in words
_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_REPLY_CODE = re.compile(r"(?<![\d.:])([45])[0-5]\d(?:[ -]|$)", re.MULTILINE)
_WARNING = re.compile(
    r"""warning\s+message\s+only|do\s+not\s+need\s+to\s+resend|not\s+required\s+to\s+(?:take|do)|no\s+action\s+is\s+required|will\s+(?:be\s+retried|(?:keep|continue)\s+(?:to\s+)?(?:try|retry))
      |has\s+been\s+delayed|delivery\s+(?:is\s+)?delayed|delayed\s+(?:mail|delivery)|could\s+not\s+(?:yet\s+)?be\s+delivered\s+for|not\s+(?:yet\s+)?been\s+delivered|will\s+continue\s+(?:to\s+be\s+attempted|attempt|for)
      |attempts?\s+to\s+deliver\s+(?:the\s+message\s+)?will\s+continue|still\s+being\s+(?:tried|attempted)|transient\s+(?:failure|non-?fatal)|message\s+is\s+still\s+in\s+the\s+queue|still\s+undelivered|retry\s+.{0,30}for\s+another""",
    re.VERBOSE | re.IGNORECASE,
)
_GAVE_UP = re.compile(
    r"gave\s+up|giving\s+up|permanent|i've\s+given\s+up|is\s+the\s+final|returned\s+to\s+sender|no\s+further\s+attempt|message\s+expired|will\s+not\s+be\s+retried",
    re.IGNORECASE,
)


def report(raw: bytes) -> DeliveryReport | None:
    """The report that a bounce makes, or None where nothing in it names a recipient."""
    message = read_structure(raw.lstrip(b"\r\n"))
    original = _original_message_id(message)
    if found := tuple(_from_delivery_status(message)):
        return DeliveryReport(_unique(found), original)
    text = _explanation(message)
    words = f"{headers.text(raw_header(message, 'subject'))}\n{text}"
    action = "delayed" if _WARNING.search(words) and not _GAVE_UP.search(words) else "failed"
    status = _status(text)
    named = _from_failed_recipients_header(message) or _from_text(message, text)
    if not named:
        return None
    return DeliveryReport(
        _unique(tuple(FailedRecipient(address, action, status, _near(text, address)) for address in named)), original
    )


def _from_delivery_status(message: Message) -> Iterator[FailedRecipient]:
    for part in message.walk():
        if content_type(part)[0] not in {"message/delivery-status", "message/global-delivery-status"}:
            continue
        for block in _blocks(part):
            final = _field_address(block.get("final-recipient", ""))
            original = _field_address(block.get("original-recipient", ""))
            # A final address in a host's own name space ("joe@ims-ms-daemon") says nothing outside it.
            recipient = final if "." in final.rpartition("@")[2] else original or final
            if not recipient:
                continue
            action = block.get("action", "failed").split()[:1]
            diagnostic = block.get("diagnostic-code", "")
            status = _STATUS.search(block.get("status", "")) or _STATUS.search(diagnostic)
            yield FailedRecipient(
                recipient,
                action[0].strip("<>;").lower() if action else "failed",
                status[0] if status else "",
                diagnostic[:500],
            )


def _blocks(part: Message) -> Iterator[dict[str, str]]:
    """The groups of fields of a delivery status (RFC 3464, 2.1), each by lower-case name."""
    inner = part.get_payload()
    if isinstance(inner, list):
        for block in inner:
            if isinstance(block, Message):
                fields = {name.lower(): headers.text(str(value)) for name, value in block.raw_items()}
                if fields:
                    yield fields
                # A blank line too many between two fields makes the rest look like a body.
                rest = body if isinstance(body := block.__dict__.get("_payload"), str) else ""
                yield from _loose_blocks(rest)
    else:
        yield from _loose_blocks(decode(payload(part)))


def _loose_blocks(text: str) -> Iterator[dict[str, str]]:
    for chunk in re.split(r"\n(?:[ \t]*+\n)++", _squeezed(text)):
        folded = re.sub(r"\n[ \t]++", " ", chunk)
        fields = dict(re.findall(r"^([A-Za-z-]{1,60}+)[ \t]*+:[ \t]*+(.*)$", folded, re.MULTILINE))
        if fields:
            yield {name.lower(): headers.one_line(value) for name, value in fields.items()}


def _field_address(value: str) -> str:
    """`rfc822; joe@example.com` → joe@example.com, with what mail systems add or leave out."""
    value = value.partition(";")[2][:1000] or value[:1000]
    if value.strip().upper().startswith("IMCEA"):
        return ""
    found = re.search(_ADDRESS, value)
    if found:
        return found[0].lower()
    word = value.strip().strip("<>").split()
    return word[0].lower() if word and len(word) == 1 and re.fullmatch(r"[\w.+-]+", word[0]) else ""


def _from_failed_recipients_header(message: Message) -> list[str]:
    value = headers.text(", ".join(str(v) for v in message.get_all("X-Failed-Recipients", []))[: headers.MAX_TEXT])
    return [found.lower() for found in re.findall(_ADDRESS, value)]


# What stands over a returned mail, without the marks before it; some only where dashes are among these.
_RETURNED_MAIL = re.compile(
    r"""(?:your|the)\ (?:original\ )?(?:message|mail|e-?mail)(?:'s)?\ (?:follows|headers?|reads|is\ (?:included|attached|below|enclosed)|text|begins)
      | (?:original|returned|undelivered|unsent|failed)\ (?:message|mail)\ (?:follows|header|text|begins|attached|below)
      | (?:the\ )?(?:text|headers?|contents?)\ of\ (?:the|your)\ (?:original\ )?(?:message|mail)
      | received:\s(?:from|by|\(qmail) | return-path:\s?< | message-id:\s?<
      | (?:mime-version|x-mailer|x-originating-ip|content-type|dkim-signature):\s""",
    re.VERBOSE | re.IGNORECASE,
)
_RETURNED_AFTER_DASHES = re.compile(
    r"""below\ this\ line\ is\ a\ copy|this\ is\ a\ copy\ of|the\ unsent\ message|original\ (?:message|mail|headers)|returned\ (?:message|mail)
      |unsent\ message|message\ (?:header|text|body|follows)|start\ of\ (?:returned|message)|the\ header\ of\ the\ original|your\ (?:message|mail)|header
      |(?:begin|start|included).{0,40}-""",
    re.VERBOSE | re.IGNORECASE,
)
_READ_TYPES = {"text/plain", "text/html", "message/delivery-status", "text/rfc822-headers"}


def _explanation(message: Message) -> str:
    """The words of the mail system, without the mail it returns."""
    pieces: list[str] = []
    for part in _own_parts(message):
        kind, params = content_type(part)
        if kind not in _READ_TYPES or kind == "text/rfc822-headers":
            continue
        text = clean(decode(payload(part), params.get("charset", ""))).replace("\r\n", "\n")
        if kind == "text/html":
            if any(piece.strip() for piece in pieces):
                continue
            text = html_to_text(text)
        pieces.append(text)
    text = _squeezed("\n".join(pieces))
    named = re.search(_ADDRESS, text)
    end = named.end() if named else len(text)
    position = 0
    for line in text.split("\n"):
        if position >= end and _begins_returned_mail(line):
            return text[:position]
        position += len(line) + 1
    return text


def _begins_returned_mail(line: str) -> bool:
    bare = line.lstrip(" >#*|-")
    dashed = "-" in line[: len(line) - len(bare)]
    return bool(_RETURNED_MAIL.match(bare) or (dashed and _RETURNED_AFTER_DASHES.match(bare)))


def _squeezed(text: str) -> str:
    """Short lines, with single blanks and no more than two empty lines between them: patterns have nothing to run on."""
    lines = (re.sub(r"[ \t\f\v]++", " ", line[:MAX_LINE]) for line in text.replace("\r", "").split("\n"))
    return re.sub(r"\n(?: ?\n){2,}+", "\n\n\n", "\n".join(lines))[: 4 * MAX_TEXT]


MAX_LINE = 1000


def _own_parts(message: Message) -> Iterator[Message]:
    """Leaves outside any returned message."""
    if content_type(message)[0] in {"message/rfc822", "message/global"}:
        return
    if message.is_multipart():
        for child in message.get_payload():
            if isinstance(child, Message):
                yield from _own_parts(child)
    else:
        yield message


_PATTERNS = [
    # "<joe@example.com>:" and "<joe@example.com>... User unknown": qmail, Postfix, sendmail.
    rf"^ ?<({_ADDRESS})>\s*(?::|\.\.\.|\()",
    rf"^ ?({_ADDRESS})\s*(?:\.\.\.|:\s*$|:\s+(?:user|unknown|mailbox|host|no|5\d\d|4\d\d|smtp|account|over|invalid|does|unable|delivery|recipient))",
    rf"(?:following|these)\s+(?:address|recipient|destination|user|person|people)[^\n]{{0,120}}\n(?:[^\n]{{0,120}}\n){{0,4}}?\s*(?:[-*]\s*)?(?:to:?\s+|recipient:?\s+)?<?({_ADDRESS})>?",
    rf"(?:could\s+not|cannot|unable\s+to|failed\s+to|wasn't|not)\s+(?:be\s+)?(?:deliver\w*|sent?)\s+(?:\w+\s+){{0,4}}(?:to|for)(?:\s+the\s+following\s+\w+)?:?\s+<?({_ADDRESS})>?",
    rf"(?:failed\s+recipients?|recipients?|recipient\s+address|e-?mail\s+address|user|mailbox|address|to|for|unknown\s+user|no\s+such\s+user|name)\b\s*[:=]?\s*[\"'<(\[]*({_ADDRESS})[\"'>)\]]*",
    rf"^ ?(?:[-*+]\s*)?<?({_ADDRESS})>?\s*(?:\(.*\)|,.*|[-–:].*)?\s*$",
    rf"RCPT\s+TO:\s*<?({_ADDRESS})>?",
    rf"<({_ADDRESS})>",
    rf"({_ADDRESS})",
]  # fmt: skip
_COMPILED = [re.compile(pattern, re.IGNORECASE | re.MULTILINE) for pattern in _PATTERNS]


def _from_text(message: Message, text: str) -> list[str]:
    not_failed = {address.address for name in ("from", "to", "reply-to", "sender", "return-path", "cc", "delivered-to")
                  for address in headers.addresses(", ".join(str(v) for v in message.get_all(name, [])))}  # fmt: skip
    for pattern in _COMPILED:
        found = [match.lower().strip("'").rstrip(".") for match in pattern.findall(text[:MAX_TEXT])]
        named = [
            address for address in dict.fromkeys(found)
            if address not in not_failed and not re.match(r"(?:mailer-daemon|postmaster|postmast|abuse|help(?:desk)?)@", address)
        ]  # fmt: skip
        if named:
            return named[:MAX_NAMED]
    return []


def _status(text: str) -> str:
    if found := _STATUS.search(text):
        return found[0]
    if code := _REPLY_CODE.search(text):
        return f"{code[1]}.0.0"
    return ""


def _near(text: str, address: str) -> str:
    position = text[:MAX_TEXT].lower().find(address)
    return " ".join(text[max(0, position) : position + 400].split())[:300] if position >= 0 else ""


def _unique(recipients: tuple[FailedRecipient, ...]) -> tuple[FailedRecipient, ...]:
    return tuple({recipient.address: recipient for recipient in recipients}.values())


def _original_message_id(message: Message) -> str:
    """The Message-ID of the mail that the report returns, whole, as headers, or as text."""
    for part in message.walk():
        if part is message:
            continue
        if part.get("Message-ID") and (ids := headers.message_ids(str(part["Message-ID"]))):
            return ids[0]
        if content_type(part)[0] in {"text/rfc822-headers", "text/plain", "message/rfc822"} and not part.is_multipart():
            if found := _MESSAGE_ID_LINE.search(decode(payload(part)[:200_000])):
                return headers.normal_id(found[1])
    if not message.is_multipart() and (found := _MESSAGE_ID_LINE.search(decode(payload(message)[:200_000]))):
        return headers.normal_id(found[1])
    return ""


_MESSAGE_ID_LINE = re.compile(r"^[ \t>]*+Message-ID:\s{0,3}<([^<>\s]{1,998})>", re.IGNORECASE | re.MULTILINE)
