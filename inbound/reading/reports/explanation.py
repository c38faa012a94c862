"""The words of the mail system in a report that is words, without the mail that it returns."""

import re
from collections.abc import Iterator
from email.message import Message

from inbound.reading.html.text import html_to_text
from inbound.reading.mime.charset import clean, decode
from inbound.reading.mime.structure import content_type
from inbound.reading.mime.transfer import payload
from inbound.reading.reports.report_text import ADDRESS, squeezed

_READ_TYPES = {"text/plain", "text/html", "message/delivery-status"}

# What stands over a returned mail, without the marks before it.
_OVER_RETURNED = (
    r"(?:your|the) (?:original )?(?:message|mail|e-?mail)(?:'s)?"
    r" (?:follows|headers?|reads|is (?:included|attached|below|enclosed)|text|begins)",
    r"(?:original|returned|undelivered|unsent|failed) (?:message|mail)"
    r" (?:follows|header|text|begins|attached|below)",
    r"(?:the )?(?:text|headers?|contents?) of (?:the|your) (?:original )?(?:message|mail)",
    # Or its own header begins.
    r"received:\s(?:from|by|\(qmail)",
    r"return-path:\s?<",
    r"message-id:\s?<",
    r"(?:mime-version|x-mailer|x-originating-ip|content-type|dkim-signature):\s",
)
_RETURNED_MAIL = re.compile("|".join(_OVER_RETURNED), re.IGNORECASE)
# And only where dashes are among these marks.
_AFTER_DASHES = (
    r"below this line is a copy",  # qmail
    r"this is a copy of",  # exim
    r"the unsent message",
    r"original (?:message|mail|headers)",
    r"returned (?:message|mail)",
    r"unsent message",
    r"message (?:header|text|body|follows)",
    r"start of (?:returned|message)",
    r"the header of the original",
    r"your (?:message|mail)",
    r"header",
    r"(?:begin|start|included).{0,40}-",
)
_RETURNED_AFTER_DASHES = re.compile("|".join(_AFTER_DASHES), re.IGNORECASE)


def explanation(message: Message) -> str:
    text = squeezed("\n".join(_texts(message)))
    named = re.search(ADDRESS, text)
    end = named.end() if named else len(text)
    position = 0
    for line in text.split("\n"):
        if position >= end and _begins_returned_mail(line):
            return text[:position]
        position += len(line) + 1
    return text


def _texts(message: Message) -> list[str]:
    texts: list[str] = []
    for part in _own_parts(message):
        kind, params = content_type(part)
        if kind not in _READ_TYPES:
            continue
        text = clean(decode(payload(part), params.get("charset", "")))
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        if kind == "text/html":
            if any(found.strip() for found in texts):
                continue
            text = html_to_text(text)
        texts.append(text)
    return texts


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


def _begins_returned_mail(line: str) -> bool:
    bare = line.lstrip(" >#*|-")
    dashed = "-" in line[: len(line) - len(bare)]
    return bool(_RETURNED_MAIL.match(bare) or (dashed and _RETURNED_AFTER_DASHES.match(bare)))
