"""Whom a report names that has no fields: by what the mail systems write about the address."""

import re
from email.message import Message

from inbound.reading import headers
from inbound.reading.reports.report_text import ADDRESS, MAX_TEXT

MAX_NAMED = 50  # recipients that are looked for in words
_OWN_FIELDS = ("from", "to", "reply-to", "sender", "return-path", "cc", "delivered-to")


# What mail systems write before and behind an address, the surest first.
_PATTERNS = (
    # "<joe@example.com>:" and "<joe@example.com>... User unknown": qmail, Postfix, sendmail.
    rf"^ ?<({ADDRESS})>\s*(?::|\.\.\.|\()",
    rf"^ ?({ADDRESS})\s*(?:\.\.\.|:\s*$|:\s+(?:user|unknown|mailbox|host|no|5\d\d|4\d\d|smtp"
    r"|account|over|invalid|does|unable|delivery|recipient))",  # exim
    # "The following recipients …", and one in one of the next lines: Exchange, exim, Notes.
    r"(?:following|these)\s+(?:address|recipient|destination|user|person|people)[^\n]{0,120}\n"
    rf"(?:[^\n]{{0,120}}\n){{0,4}}?\s*(?:[-*]\s*)?(?:to:?\s+|recipient:?\s+)?<?({ADDRESS})>?",
    # "could not be delivered to joe@example.com"
    r"(?:could\s+not|cannot|unable\s+to|failed\s+to|wasn't|not)\s+(?:be\s+)?(?:deliver\w*|sent?)\s+"
    rf"(?:\w+\s+){{0,4}}(?:to|for)(?:\s+the\s+following\s+\w+)?:?\s+<?({ADDRESS})>?",
    # "User: joe@example.com", "no such user 'joe@example.com'"
    r"(?:failed\s+recipients?|recipients?|recipient\s+address|e-?mail\s+address|user|mailbox"
    r"|address|to|for|unknown\s+user|no\s+such\s+user|name)\b\s*[:=]?\s*"
    rf"[\"'<(\[]*({ADDRESS})[\"'>)\]]*",
    # An address that has a line of its own, with a reason behind it or none.
    rf"^ ?(?:[-*+]\s*)?<?({ADDRESS})>?\s*(?:\(.*\)|,.*|[-–:].*)?\s*$",
    rf"RCPT\s+TO:\s*<?({ADDRESS})>?",
    # Any at all.
    rf"<({ADDRESS})>",
    rf"({ADDRESS})",
)
_COMPILED = [re.compile(pattern, re.IGNORECASE | re.MULTILINE) for pattern in _PATTERNS]
_NOBODY = re.compile(r"(?:mailer-daemon|postmaster|postmast|abuse|help(?:desk)?)@")


def named_recipients(message: Message, text: str) -> list[str]:
    """The addresses that failed, in lower case. `text` is the report's explanation."""
    return _in_header(message) or _in_words(message, text)


def _in_header(message: Message) -> list[str]:
    values = ", ".join(str(value) for value in message.get_all("X-Failed-Recipients", []))
    found = re.findall(ADDRESS, headers.text(values[: headers.MAX_TEXT]))
    return [address.lower() for address in found]


def _in_words(message: Message, text: str) -> list[str]:
    not_failed = {
        address.address
        for name in _OWN_FIELDS
        for address in headers.addresses(", ".join(str(v) for v in message.get_all(name, [])))
    }
    for pattern in _COMPILED:
        found = [match.lower().strip("'").rstrip(".") for match in pattern.findall(text[:MAX_TEXT])]
        named = [
            address
            for address in dict.fromkeys(found)
            if address not in not_failed and not _NOBODY.match(address)
        ]
        if named:
            return named[:MAX_NAMED]
    return []
