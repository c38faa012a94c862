"""The values that the understanding of a mail is made of. No Django, no I/O."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from inbound.reading.refusal_words import NOBODY_THERE, OTHER_REASON
from inbound.reading.results import Result


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who handed a mail over for whom; kept beside the message and never merged into its
    headers."""

    mail_from: str | None = None  # "" is the null sender (RFC 5321 4.5.5), None: nobody told us
    rcpt_tos: tuple[str, ...] = ()
    client: str = ""
    # what a provider that hands it over says it found out about it
    results: tuple[Result, ...] | None = None


@dataclass(frozen=True, slots=True)
class Address:
    address: str  # in lower case, without angle brackets; "" where the header held none
    name: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part that is kept as a file. `name` is safe to show and to store: no path, no control
    characters."""

    part: int  # its place among the mail's parts; with the mail's id, a name that never changes
    name: str
    content_type: str
    data: bytes = field(repr=False)
    content_id: str = ""
    is_inline: bool = False


@dataclass(frozen=True, slots=True)
class ParsedMail:
    """What a mail says, decoded. Every string is clean: no surrogates, no NUL, headers without CR
    or LF."""

    from_: Address
    reply_to: tuple[Address, ...] = ()
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    subject: str = ""
    message_id: str = ""  # without angle brackets, as are all ids
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    date: datetime | None = None
    text: str = ""
    html: str = ""
    attachments: tuple[Attachment, ...] = ()
    headers: dict[str, list[str]] = field(default_factory=dict)  # by lower-case name, decoded
    defects: tuple[str, ...] = ()

    def header(self, name: str) -> str:
        """The first header of that name, or ""."""
        values = self.headers.get(name.lower())
        return values[0] if values else ""


class Kind(StrEnum):
    PERSON = "person"
    AUTO_REPLY = "auto-reply"  # an answer to something: a vacation notice
    AUTOMATIC = "automatic"  # machine-made, but news: an alert, an invoice
    LIST = "list"
    BOUNCE = "bounce"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a mail is, and the named reason that decided it."""

    kind: Kind
    reason: str
    evidence: str = ""
    # a person's, as far as can be told, but better not answered by a machine
    is_quiet: bool = False
    is_sure: bool = True  # of a bounce: it is a report by its structure, not by its words alone


@dataclass(frozen=True, slots=True)
class FailedRecipient:
    address: str
    action: str = "failed"  # failed, delayed, delivered, relayed, expanded (RFC 3464, 2.3.3)
    status: str = ""  # an enhanced status code (RFC 3463), or ""
    diagnostic: str = ""

    @property
    def is_permanent(self) -> bool:
        """Nobody will try again. A 4.x.x status in a report of failure means that they gave up."""
        return self.action not in {"delayed", "delivered", "relayed", "expanded"}

    @property
    def is_hard(self) -> bool:
        """The address itself is no good: it does not exist, has moved, or takes no mail at all."""
        if self.action != "failed":
            return False
        if OTHER_REASON.search(self.diagnostic[:500]):
            return False
        if _DEAD_STATUS.match(self.status):
            return True
        return bool(NOBODY_THERE.search(self.diagnostic[:500]))


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    recipients: tuple[FailedRecipient, ...]
    original_message_id: str = ""

    @property
    def is_hard(self) -> bool:
        return any(recipient.is_hard for recipient in self.recipients)

    @property
    def is_temporary(self) -> bool:
        return bool(self.recipients) and not any(r.is_permanent for r in self.recipients)


# RFC 3463 3.2: the address statuses that no later attempt and no other content will change.
_DEAD_STATUS = re.compile(r"5\.1\.(?:0|1|2|3|6|10)$|5\.2\.1$|5\.4\.4$")
Evidence = dict[str, Any]  # what an outcome stores: JSON only
