"""What a mail provider tells us about mail we sent. django-anymail has checked who says so.

django-anymail sorts events by what they are about, but not by how final they are: a full mailbox is
a bounce to it as a missing one is. Whether an address takes no mail any more is read from the
provider's own post, by one table (provider_marks).
"""

import re
from collections.abc import Mapping
from typing import Any

from anymail.signals import tracking
from django.db.models import Q

from helpdesk.models import OutboundMail
from helpdesk.outbound import came_back, refusals
from helpdesk.outbound.provider_marks import (
    BY_ITS_WORDS,
    COMPLAINT,
    DEAD,
    MARKS,
    REFUSED,
    WORDS,
    WORDS_IN,
)
from helpdesk.outbound.server_replies import RCPT_TO, SIZE
from helpdesk.outbound.whose_fault import Whose
from helpdesk.outbound.wire import Unwritable, on_the_wire
from inbound.reading import headers
from inbound.reading.message import FailedRecipient

_CODE = re.compile(r"(?<![\d.-])([45]\d\d)(?![\d.])[ -]*")
_ENHANCED = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?!\.?\d)")
# RFC 3463 3.2 and 3.3: no such address, or no mailbox behind it any more; and 5.5.0, which
# Outlook.com says of those.
_OF_THE_ADDRESS = re.compile(r"5\.1\.\d{1,3}|5\.2\.1|5\.5\.0")
_OF_ITS_SIZE = re.compile(SIZE, re.IGNORECASE)  # the mail's, whatever code stands beside it


class TooEarly(OSError):
    """The event may be about a mail whose id is not written down yet. Temporary: the provider posts
    it again."""


def on_event(sender: object, event: Any, esp_name: str, **kwargs: Any) -> None:
    """Finds the mail by the provider's id and the recipient, and hands the event on. Raises
    TooEarly."""
    recipient = str(event.recipient or "")
    mail = _mail(headers.one_line(str(event.message_id or "")), recipient)
    if mail is None:
        if _is_being_handed_over(recipient):
            raise TooEarly(
                "an event may be about a mail that is being handed over; it is to be posted again"
            )
        return
    why = " ".join(
        str(part) for part in (event.reject_reason, event.description, event.mta_response) if part
    )
    kind, said = str(event.event_type), _marked(event, esp_name)
    if said == REFUSED or (said == COMPLAINT and kind != COMPLAINT):
        kind = said
    elif kind == COMPLAINT and said != COMPLAINT:
        return  # "this is no spam", or nothing that we know
    suppress = {DEAD: "bounce", COMPLAINT: "complaint"}.get(said, "")
    came_back.provider_event(
        mail,
        kind,
        headers.one_line(f"{esp_name}: {why}")[:1000],
        suppress=suppress if recipient else "",
    )


def connect() -> None:
    tracking.connect(on_event, weak=False, dispatch_uid="helpdesk provider events")


def _marked(event: Any, esp_name: str) -> str:
    """What the provider's post says of the address, by MARKS; "" for nothing. A provider that calls
    a mail dead is not believed where the server's words are about something else."""
    words = _words(event, esp_name)
    for outcome, mark in MARKS.get(esp_name, []):
        if all(_field(event, name, words) in values for name, values in mark.items()):
            return "" if outcome == DEAD and words and not _is_of_the_address(words) else outcome
    return ""


def _words(event: Any, esp_name: str) -> str:
    """What the receiving server has said, without the name of its protocol (RFC 3464 2.3.6)."""
    said = str(event.mta_response or _value(event, WORDS_IN.get(esp_name, "")) or "")[:WORDS]
    return re.sub(r"^\s*(?:smtp|x-[\w-]{1,40})\s*;", "", said, flags=re.IGNORECASE).strip()


def _is_of_the_address(words: str) -> bool:
    """Whether these words of a server's say that the address is no good, or leave it open."""
    found = _CODE.search(words)
    code = int(found[1]) if found else 550
    if code == 500:  # the server is said to have refused the recipient, and not a command
        code = 550
    said = f"{words[found.end() :]} {words[: found.start()]}" if found else words
    whose = refusals.of_reply(RCPT_TO, code, said)
    return (
        whose not in {Whose.PASSES, Whose.POLICY, Whose.SERVER, Whose.MAIL}
        and not _OF_ITS_SIZE.search(words)
        and all(_OF_THE_ADDRESS.fullmatch(status) for status in _ENHANCED.findall(words))
    )


def _field(event: Any, name: str, words: str) -> str:
    if name == BY_ITS_WORDS:
        status = _ENHANCED.search(words)
        return str(
            FailedRecipient("", status=status[0] if status else "", diagnostic=words).is_hard
        ).lower()
    value = _value(event, name)
    return "" if value is None else str(value).strip().lower()


def _value(event: Any, way: str) -> Any:
    value = event.esp_event
    for step in way.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _mail(message_id: str, recipient: str) -> OutboundMail | None:
    """The newest mail under the provider's id that went to that recipient: a provider's numbers may
    begin anew. What was never tried has not been handed to any provider."""
    if not message_id:
        return None
    bare = message_id.strip("<>")
    tried = OutboundMail.objects.exclude(attempts=0, sent_at=None).select_related(
        "ticket", "comment__author"
    )
    rows = tried.filter(Q(provider_message_id=bare) | Q(message_id=bare)).order_by("-pk")
    return next((mail for mail in rows if not recipient or _is_to(mail, recipient)), None)


def _is_being_handed_over(recipient: str) -> bool:
    """Whether a mail to that recipient is with a worker, who has not written down yet what the
    provider has answered."""
    rows = OutboundMail.objects.filter(
        state=OutboundMail.State.QUEUED, provider_message_id=""
    ).exclude(held_by="")
    return bool(recipient) and any(_is_to(mail, recipient) for mail in rows.only("to_address"))


def _is_to(mail: OutboundMail, recipient: str) -> bool:
    return recipient.lower() in _written(mail.to_address)


def _written(address: str) -> set[str]:
    try:
        return {address, on_the_wire(address)}
    except Unwritable:
        return {address}
