"""A stored mail with everything that can be known about it from its own bytes, and from the DNS."""

from dataclasses import dataclass, replace
from functools import cached_property

from helpdesk.config_cache import kept_for_a_moment
from helpdesk.intake import archive, senders, threads
from helpdesk.models import Person
from inbound import proving, readers
from inbound.addresses import Bounce, read_token
from inbound.models import InboundMail, Mailbox
from inbound.reading.message import (
    Address,
    Attachment,
    DeliveryReport,
    Envelope,
    Kind,
    ParsedMail,
    Verdict,
)
from inbound.reading.proof import Proof
from inbound.reading.proof import Verdict as Proven
from inbound.reading.reading import Reading
from inbound.reading.sender import FROM, NOBODY, Sender, is_ours


@dataclass(frozen=True)
class Understood:
    """A stored mail with everything that can be known about it from its own bytes."""

    row: InboundMail
    reading: Reading
    ours: frozenset[str]  # our mailbox addresses
    named: tuple[str, ...]  # whom it is for, by its envelope and by itself: see threads.named
    proof: Proof  # whether its From is who it says

    @cached_property
    def answer(self) -> archive.Answer | None:
        """What it is if we have written it ourselves, in an archive."""
        return archive.answer(self.row, self.reading, self.ours)

    @property
    def parsed(self) -> ParsedMail:
        return self.reading.parsed

    @property
    def verdict(self) -> Verdict:
        """What it is. Who has got a certain mail of ours alone knows its return path."""
        if any(isinstance(read_token(address), Bounce) for address in self.named):
            return self.reading.verdict_on_return
        return self.reading.verdict

    @property
    def files(self) -> tuple[Attachment, ...]:
        """What is kept of it as files: of a mail that is handed on attached, that mail's own."""
        original = self.reading.forwarded
        if original is None or not original.part:
            return self.parsed.attachments
        return (*self.parsed.attachments, *original.files)

    @property
    def report(self) -> DeliveryReport | None:
        return self.reading.report

    @property
    def sender(self) -> Address:
        """Who has written it, as far as it says; its address is "" where that is nobody."""
        return Address("") if self.reading.sender.by == NOBODY else self.reading.sender.address

    def says(self, person: Person | None) -> senders.Sender:
        """Who it says has written it, and what is known about that."""
        proof = self.proof
        is_behind = self.reading.sender.by != FROM
        if is_behind and proof.verdict is Proven.AUTHENTICATED:
            # Its From is proven; who writes behind that is not.
            proof = replace(
                proof, verdict=Proven.UNKNOWN, why="another address than its From has written it"
            )
        to = {"to": self.parsed.to, "cc": self.parsed.cc}
        ids = {"in-reply-to": self.parsed.in_reply_to, "references": self.parsed.references}
        named = frozenset(found.address for name in proof.covers for found in to.get(name, ()))
        return senders.Sender(
            self.sender.address,
            person,
            proof,
            self.row.received_at,
            named=named,
            answers=frozenset(found for name in proof.covers for found in ids.get(name, ())),
            is_for_us=any(is_ours(address, self.ours) for address in named),
            is_vouched=not is_behind or self.proof.verdict is Proven.AUTHENTICATED,
        )

    @property
    def recipients(self) -> list[str]:
        return [str(recipient) for recipient in self.row.rcpt_to]


def read(
    row: InboundMail,
    raw: bytes,
    *,
    ours: frozenset[str] | None = None,
    apart: bool = False,
    hurried: bool = False,
) -> Understood:
    """What the mail says, read in a process of its own, and whether it is from whom it says, for
    which the DNS is asked. Raises the errors of `inbound.readers` and `inbound.proving`; needs no
    database where it is told which mailboxes are `ours`."""
    ours = our_addresses() if ours is None else ours
    rcpt_tos = tuple(str(recipient) for recipient in row.rcpt_to)
    envelope = Envelope(row.mail_from, rcpt_tos, row.client)
    try:
        reading = readers.read(raw, envelope, ours, apart=apart)
    except readers.Unreadable as error:
        if not row.force:
            raise
        reading = _unread(row, raw, str(error))
    proof = proving.prove(row, raw, reading, hurried=hurried)
    return Understood(row, reading, ours, threads.named(reading.parsed, rcpt_tos), proof)


def _unread(row: InboundMail, raw: bytes, why: str) -> Reading:
    """A mail that cannot be read, of which a person makes a ticket all the same: what was seen at
    its arrival, and the mail itself as a file."""
    sender = Address(row.from_address)
    parsed = ParsedMail(
        sender,
        subject=row.subject,
        message_id=row.message_id,
        defects=(why[:200],),
        attachments=(Attachment(1, "mail.eml", "message/rfc822", raw),),
    )
    text = f"This mail could not be read: {why}. It is attached as it came."
    verdict = Verdict(Kind.AUTOMATIC, "unreadable")
    return Reading(parsed, Sender(sender, FROM), verdict, verdict, None, "", text, "", "", "")


@kept_for_a_moment
def our_addresses() -> frozenset[str]:
    return frozenset(Mailbox.objects.order_by().values_list("address", flat=True))
