"""A stored mail → what is done about it. `plan` only reads and says why; `apply` writes it all at once.

The outcome of the mail is written in the same transaction as the ticket, the comment, the event and
the outbox rows, so "done" and "the ticket exists" cannot disagree; a dry run is `plan` alone.
"""

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from helpdesk import access, actions, delivery, participants, people, senders, threads
from helpdesk.actions import Content, File, spending
from helpdesk.kinds import KINDS
from helpdesk.models import BlockedSender, Comment, MessageRef, OutboundMail, Person, Ticket
from helpdesk.own_words import OwnWords, lines_of_ours, own_words
from helpdesk.remembered import remembered
from inbound import proving, readers, store
from inbound.addresses import Bounce, read_own_mark, read_secret_mark, read_token
from inbound.models import InboundMail, Mailbox
from inbound.prepared import Prepared
from inbound.reading.forwarded import Forwarded
from inbound.reading.message import Address, Attachment, DeliveryReport, Envelope, Evidence, Kind, ParsedMail, Verdict
from inbound.reading.ours import MARK_HEADER
from inbound.reading.proof import Proof
from inbound.reading.proof import Verdict as Proven
from inbound.reading.reading import Reading
from inbound.reading.sender import FORM, FROM, NOBODY, Sender, is_ours

WAIT_FOR_PARENT = timedelta(minutes=2)
SAME_BYTES_WITHIN = timedelta(days=1)
SIGNED_PATH = "signed return path"
SAME_BYTES = "same bytes within a day"
WRITES = {"open", "comment", "answer", "note", "hold"}  # what a mail can do to a ticket

State, Look = InboundMail.State, InboundMail.Look


@dataclass(frozen=True, slots=True)
class Received:
    """A stored mail with everything that can be known about it from its own bytes."""

    row: InboundMail
    reading: Reading
    ours: frozenset[str]  # our mailbox addresses
    named: tuple[str, ...]  # whom it is for, by its envelope and by itself: see threads.named
    proof: Proof  # whether its From is who it says

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
            proof = replace(proof, verdict=Proven.UNKNOWN, why="another address than its From has written it")
        to = {"to": self.parsed.to, "cc": self.parsed.cc}
        ids = {"in-reply-to": self.parsed.in_reply_to, "references": self.parsed.references}
        named = frozenset(found.address for name in proof.covers for found in to.get(name, ()))
        return senders.Sender(
            self.sender.address, person, proof, self.row.received_at, named=named,
            answers=frozenset(found for name in proof.covers for found in ids.get(name, ())),
            is_for_us=any(is_ours(address, self.ours) for address in named),
            is_vouched=not is_behind or self.proof.verdict is Proven.AUTHENTICATED,
        )  # fmt: skip

    @property
    def recipients(self) -> list[str]:
        return [str(recipient) for recipient in self.row.rcpt_to]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done with a mail, and the evidence for it.

    `do` is open, comment, answer or note (an agent's mail), hold, bounce, ignore (a duplicate, or our own mail), quarantine
    or wait. `ticket` is the ticket written to (comment, answer, note, hold), or continued by a new one (open).
    """

    do: str
    rule: str
    ticket: int | None = None
    reason: str = ""
    waiting_for: str = ""
    outbound: int | None = None
    look: str | None = None  # the group of "To look at" in which a quarantined mail lies
    would_hold: str = ""  # what the policy about senders would have done, where it only looks on
    evidence: Evidence = field(default_factory=dict)

    @property
    def target(self) -> tuple[str, int | None]:
        return self.do, self.ticket


def read(row: InboundMail, raw: bytes, *, apart: bool = False, hurried: bool = False) -> Received:
    """What the mail says, read in a process of its own, and whether it is from whom it says, for which the DNS is asked.
    Raises the errors of `inbound.readers` and `inbound.proving`; needs no database but for the list of our mailboxes."""
    ours = _our_addresses()
    rcpt_tos = tuple(str(recipient) for recipient in row.rcpt_to)
    envelope = Envelope(row.mail_from, rcpt_tos, row.client)
    try:
        reading = readers.read(raw, envelope, ours, apart=apart)
    except readers.Unreadable as error:
        if not row.force:
            raise
        reading = _unread(row, raw, str(error))
    proof = proving.prove(row, raw, reading, hurried=hurried)
    return Received(row, reading, ours, threads.named(reading.parsed, rcpt_tos), proof)


def _unread(row: InboundMail, raw: bytes, why: str) -> Reading:
    """A mail that cannot be read, of which a person makes a ticket all the same: what was seen at its arrival, and the
    mail itself as a file."""
    sender = Address(row.from_address)
    parsed = ParsedMail(
        sender, subject=row.subject, message_id=row.message_id, defects=(why[:200],),
        attachments=(Attachment(1, "mail.eml", "message/rfc822", raw),),
    )  # fmt: skip
    text = f"This mail could not be read: {why}. It is attached as it came."
    verdict = Verdict(Kind.AUTOMATIC, "unreadable")
    return Reading(parsed, Sender(sender, FROM), verdict, verdict, None, "", text, "", "", "")


@remembered
def _our_addresses() -> frozenset[str]:
    return frozenset(Mailbox.objects.order_by().values_list("address", flat=True))


def plan(mail: Received) -> Plan:
    """What today's rules do with the mail. Reads only."""
    evidence: Evidence = {
        "kind": mail.verdict.kind.value,
        "kind_reason": mail.verdict.reason,
        "kind_evidence": mail.verdict.evidence,
        "from": mail.parsed.from_.address,
        "recipients": mail.recipients,
    }
    if mail.reading.sender.by != FROM:
        evidence |= {"requester": mail.sender.address, "requester_by": mail.reading.sender.by}
    if mail.parsed.defects:
        evidence["defects"] = list(mail.parsed.defects)[:20]
    found = (
        _loop(mail) or _duplicate(mail) or _bounce(mail) or _quarantine(mail) or _into_a_ticket(mail)
    )  # fmt: skip
    return replace(found, evidence={**evidence, "rule": found.rule, **found.evidence})


def apply(mail: Received, decided: Plan, stored: dict[int, str], number: int | None) -> dict[str, object]:
    """Carries the plan out, inside the caller's transaction; the fields of the mail's outcome.

    `stored` names the attachments' files by part, `number` is the ticket id reserved for them.
    """
    if decided.do == "wait":
        raise ValueError("a plan to wait is not carried out")
    _note_other_mailbox(mail, decided)
    mail.row.proof = proving.pack(mail.proof)  # for what is written about it, before the row itself is
    _spend_what_it_shows(mail)
    outcome: dict[str, object] = {
        "evidence": decided.evidence,
        "reason": decided.reason,
        "ticket_number": decided.ticket,
        "proof": mail.row.proof,
        "would_hold": decided.would_hold[:200] or None,
    }
    senders.remember(mail.says(None))
    if decided.do == "ignore":
        outcome["state"] = State.IGNORED
        _count_again(mail, decided)
    elif decided.do == "quarantine":
        outcome |= {"state": State.QUARANTINED, "to_look_at": decided.look}
    elif decided.do == "bounce":
        outbound = OutboundMail.objects.select_related("ticket", "comment__author").get(pk=decided.outbound or 0)
        proven = decided.evidence.get("by") == SIGNED_PATH and mail.verdict.reason in REPORTS
        fresh = delivery.bounced(outbound, mail.report, proven=proven)
        outcome |= {"state": State.DONE, "reason": "bounce" if fresh else "bounce, nothing new"}
    else:
        comment = _write(mail, decided, stored, number)
        outcome |= {"state": State.DONE, "reason": decided.do, "ticket_number": comment.ticket_id}
    return outcome | {"finished_at": timezone.now(), "error": "", "waiting_for": ""}


def _note_other_mailbox(mail: Received, decided: Plan) -> None:
    """The same mail to several mailboxes is one ticket, which knows them all."""
    if decided.rule == "duplicate" and decided.ticket and decided.evidence.get("at") != mail.row.mailbox_id:
        ticket = Ticket.objects.filter(pk=decided.ticket).first()
        if ticket is not None:
            actions.record(ticket, "also-at", None, mailbox=mail.row.mailbox.address)


def _spend_what_it_shows(mail: Received) -> None:
    """Whoever reads this mail could use what it shows of ours: it is used up before. A report that a mail is late, or has
    arrived, shows nothing by itself: inbound.returned has seen to that."""
    reading = mail.reading
    spending.spend_links(reading.links)
    is_late = mail.report is not None and mail.report.is_temporary
    marked = [] if is_late else [pk for mark in reading.marks if (pk := read_secret_mark(mark)) is not None]
    about = [sent.pk for sent in threads.returned_to(mail.named)]
    ids = threads.parent_ids(mail.parsed) + ([mail.report.original_message_id] if mail.report else [])
    about += [pk for (pk,) in _secrets_among(ids)] if ids else []
    if not marked and not about:
        return
    for sent in OutboundMail.objects.filter(pk__in=[*marked, *about], is_secret=True):
        if sent.pk in marked or (mail.verdict.kind is Kind.BOUNCE and not is_late):  # however sure that is
            spending.spend(sent)
        else:
            spending.spend_code(sent.to_address, f"{reading.text}\n{reading.quoted_text}")


_secrets_among = Prepared(
    lambda ids: OutboundMail.objects.filter(message_id__in=ids, is_secret=True).values_list("pk")[:20]
)


def _count_again(mail: Received, decided: Plan) -> None:
    """The same mail without a Message-ID again is no drop: its comment says how often it came, and when last."""
    if decided.evidence.get("by") == SAME_BYTES and decided.evidence.get("at") == mail.row.mailbox_id:
        actions.came_again(decided.evidence["duplicate_of"], mail.row.received_at)


def lock(mail: Received) -> None:
    """Inside a transaction: no other worker decides about this thread, these bytes or this sender meanwhile.

    Two mails that share an id, or one's id and the other's reference, take at least one lock in common.
    """
    ids = {mail.parsed.message_id, *threads.parent_ids(mail.parsed)}
    actions.take_turns({*ids, mail.row.sha256, f"from {mail.sender.address}"})


# --- The rules, in their order. Each says what to do, or None to ask the next one.


def _loop(mail: Received) -> Plan | None:
    """Our own mail, come back: proven by the mark that only we can write, or known by its id."""
    if mail.row.force:
        return None
    marks = mail.parsed.headers.get(MARK_HEADER.lower(), [])
    named = [pk for mark in marks[:5] if (pk := read_own_mark(mark)) is not None]
    # Some programs keep every header when they send a mail again, in somebody's own name.
    from_us = is_ours(mail.parsed.from_.address, mail.ours)
    if named and from_us and (sent := OutboundMail.objects.filter(pk__in=named).first()):
        return Plan("ignore", "loop", reason="loop", evidence={"outbound": sent.pk, "by": "our mark"})
    # A provider may put in an id of its own. An id alone proves nothing: people know the ids of what we sent them.
    if mail.row.message_id and from_us:
        known = Q(message_id=mail.row.message_id) | Q(provider_message_id=mail.row.message_id)
        if sent := OutboundMail.objects.filter(known).first():
            return Plan("ignore", "loop", reason="loop", evidence={"outbound": sent.pk, "by": "Message-ID"})
    return None


def _duplicate(mail: Received) -> Plan | None:
    """Same Message-ID, From and body; or, without a Message-ID, the same bytes within a day. Only of mail that is in a
    ticket, where it can be read: what was dropped or lies in quarantine stands for nothing."""
    row = mail.row
    if row.message_id:
        by = "Message-ID, From and body"
        found = _same_message(row.pk, row.message_id, row.from_address, row.body_sha256)
        found = [seen for seen in found if _says_the_same(mail, seen[0]) and not _is_better_proven(mail, seen[0])]
    else:
        by = SAME_BYTES
        found = _same_bytes(row.pk, row.sha256, row.received_at - SAME_BYTES_WITHIN)
    if not found:
        return None
    first, mailbox, ticket = found[0]
    seen: Evidence = {"duplicate_of": first, "by": by, "at": mailbox}
    return Plan("ignore", "duplicate", reason="duplicate", ticket=ticket, evidence=seen)


def _says_the_same(mail: Received, first: int) -> bool:
    """Whether what gives a body its meaning is the same, too: a copy that somebody else has sent ahead is another mail."""
    row = mail.row
    other = InboundMail.objects.select_related("raw").get(pk=first)
    if _tokens(row) != _tokens(other):
        return False
    if other.sha256 == row.sha256 or other.raw is None or row.raw is None:
        return True
    return store.meaning(other.raw.content) == store.meaning(row.raw.content)


def _is_better_proven(mail: Received, first: int) -> bool:
    """Whether the other one is held, and this one is from whom it says: a forged copy that was sent ahead stands for nothing."""
    other = InboundMail.objects.get(pk=first)
    return (
        other.reason == "hold"
        and mail.proof.verdict is Proven.AUTHENTICATED
        and (other.proof or {}).get("verdict") != Proven.AUTHENTICATED
    )


def _tokens(row: InboundMail) -> set[object]:
    return {token for address in row.rcpt_to if (token := read_token(str(address))) is not None}


def _others(pk: int) -> "QuerySet[InboundMail]":
    # Said by what it is not: SQLite would take the index of the states for what it is, and read all that is done.
    others = InboundMail.objects.exclude(pk=pk).exclude(
        state__in=[found for found in State.values if found != State.DONE]
    )
    return others.filter(reason__in=["open", "comment", "answer", "note", "hold"]).order_by("pk")


_SEEN = ("pk", "mailbox", "ticket_number")
_same_message = Prepared(
    lambda pk, message_id, sender, body: (
        _others(pk).filter(message_id=message_id, from_address=sender, body_sha256=body).values_list(*_SEEN)[:5]
    )
)
_same_bytes = Prepared(
    lambda pk, sha256, since: _others(pk).filter(sha256=sha256, received_at__gt=since).values_list(*_SEEN)[:1]
)


def _bounce(mail: Received) -> Plan | None:
    if mail.verdict.kind is not Kind.BOUNCE or mail.row.force:
        return None
    by = SIGNED_PATH
    sent = next(iter(threads.returned_to(mail.named)), None)
    original = mail.report.original_message_id if mail.report else ""
    ids = [original] if original else [*threads.parent_ids(mail.parsed)]
    if sent is None and ids:
        found = OutboundMail.objects.select_related("mailbox").filter(message_id__in=ids)
        sent, by = found.first(), "Message-ID of the returned mail"
    looked: Evidence = {
        "report": [
            {"address": r.address, "action": r.action, "status": r.status, "diagnostic": r.diagnostic[:300]}
            for r in (mail.report.recipients if mail.report else ())
        ],
        "original_message_id": original,
    }
    if not _is_report(mail, sent):
        return None  # its words alone speak of a failure: whoever wrote it is heard
    if sent is None:
        return Plan(
            "quarantine", "report-on-nothing-we-sent", reason="unknown report", look=Look.BACKSCATTER, evidence=looked
        )
    if by != SIGNED_PATH and sent.mailbox.plus_addressing and not sent.null_return_path:
        # Whoever has seen the mail knows its id; its reports come to its return path.
        return Plan(
            "quarantine", "report-not-on-its-return-path", reason="unproven report", look=Look.UNPLACED,
            ticket=sent.ticket_id, evidence={**looked, "outbound": sent.pk},
        )  # fmt: skip
    return Plan(
        "bounce", "bounce", ticket=sent.ticket_id, outbound=sent.pk, evidence={**looked, "by": by, "outbound": sent.pk}
    )


REPORTS = {"delivery-status-report", "delivery-status-part"}


def _is_report(mail: Received, sent: OutboundMail | None) -> bool:
    """Whether it is a delivery report, and not somebody who writes about one. A participant's mail into their own ticket
    is a report only if it has a report's parts."""
    if mail.verdict.reason in REPORTS:
        return True
    if sent is None:
        return mail.verdict.is_sure
    person = people.find(mail.sender.address) if mail.sender.address else None
    if person is not None and sent.ticket_id and participants.takes_part(sent.ticket_id, person):
        return False
    returned = mail.report.original_message_id if mail.report else ""
    return mail.verdict.is_sure or returned in {sent.message_id, sent.provider_message_id or sent.message_id}


def _quarantine(mail: Received) -> Plan | None:
    if mail.row.force:
        return None
    address = mail.sender.address
    if not address and not _is_archived_answer(mail):
        reason = "from our own address" if mail.parsed.from_.address else "no sender"
        return Plan("quarantine", reason.replace(" ", "-"), reason=reason, look=Look.UNPLACED)
    senders = dict.fromkeys([address, mail.parsed.from_.address])
    patterns = [pattern for found in senders for pattern in (found, f"@{found.rpartition('@')[2]}")]
    if blocked := _blocked(patterns):
        return Plan(
            "quarantine",
            "blocked-sender",
            reason="blocked sender",
            look=Look.BLOCKED,
            evidence={"blocked": blocked[0][0]},
        )
    name, _, value = mail.row.mailbox.spam_header.partition(":")
    if name and any(
        found.strip().lower().startswith(value.strip().lower())
        for found in mail.parsed.headers.get(name.strip().lower(), [])
    ):
        return Plan(
            "quarantine",
            "spam-header",
            reason="spam",
            look=Look.SPAM,
            evidence={"header": mail.row.mailbox.spam_header},
        )
    return None


_blocked = Prepared(
    lambda patterns: BlockedSender.objects.filter(pattern__in=patterns).order_by("pk").values_list("pattern")[:1]
)


def _into_a_ticket(mail: Received) -> Plan:
    sender = people.find(mail.sender.address) if mail.sender.address else None
    return _from(sender, mail)


def _from(person: Person | None, mail: Received) -> Plan:
    # What is done is judged again by what was there before it, and not by what it left itself.
    done = mail.row.state == State.DONE and mail.row.ticket_number
    before = threads.left_by(mail.parsed, mail.row.ticket_number or 0) if done else threads.LATEST
    search = threads.locate(mail.parsed, mail.named, before)
    tickets = Ticket.objects.in_bulk([candidate.ticket for candidate in search.candidates])
    refused: list[Evidence] = []
    looked: Evidence = {"looked_at": search.looked_at, "candidates": refused}
    held: threads.Candidate | None = None
    held_why = would_hold = ""
    for candidate in search.candidates:
        ticket = tickets.get(candidate.ticket)
        if ticket is None:
            continue
        if person is not None and person.is_staff and not mail.row.is_history:
            do, why = _agents_mail(mail, person, candidate, ticket)
            if do:
                looked["located_by"] = {"rule": candidate.rule, "by": candidate.by}
                return Plan(do, "agents-mail", ticket=ticket.pk, evidence=looked)
            decision = participants.Decision(False, why)
        else:
            decision = _may_write(mail, person, ticket)
        if decision.allowed and not mail.row.is_history and (why := senders.objection(mail.says(person), candidate)):
            would_hold = would_hold or why
            if senders.is_in_force(mail.row.mailbox):
                decision = participants.Decision(False, why)
        if decision.allowed:
            looked["located_by"] = {"rule": candidate.rule, "by": candidate.by}
            if ticket.status == Ticket.Status.CLOSED and not mail.row.is_history and _wants_follow_up(ticket, mail):
                return Plan("open", "follow-up", ticket=ticket.pk, evidence=looked, would_hold=would_hold)
            return Plan("comment", candidate.rule, ticket=ticket.pk, evidence=looked, would_hold=would_hold)
        # A common ancestor that a stranger refers to as well is no reason to look into this ticket.
        direct = candidate.is_direct
        why = decision.why if direct else f"{decision.why}, and only an id that others mention leads here"
        refused.append({"ticket": candidate.ticket, "rule": candidate.rule, "by": candidate.by, "why": why})
        if direct and held is None:
            held, held_why = candidate, decision.why
    if held is None:
        parent = threads.unprocessed_parent(mail.parsed, mail.row.pk)
        if parent and timezone.now() - mail.row.received_at < WAIT_FOR_PARENT:
            return Plan("wait", "parent-is-stored", waiting_for=parent, evidence=looked)
    if held is not None:
        looked["located_by"] = {"rule": held.rule, "by": held.by}
        return Plan("hold", held.rule, ticket=held.ticket, reason=held_why, evidence={**looked, "held": held_why})
    if mail.verdict.kind is Kind.AUTO_REPLY and not mail.row.force:
        return Plan("quarantine", "auto-reply-to-nothing", reason="auto-reply", look=Look.AUTOMATIC, evidence=looked)
    if (original := _forwarded(mail, person)) is not None:
        looked |= {"requester": original.sender.address, "requester_by": f"forwarded by {mail.sender.address}"}
        return Plan("open", "forwarded", evidence=looked)
    would_hold = senders.not_from(mail.proof) if senders.is_doubtful(mail.says(person)) else ""
    return Plan("open", "new", evidence=looked, would_hold="" if _is_doubtful(mail, person) else would_hold)


def _may_write(mail: Received, person: Person | None, ticket: Ticket) -> participants.Decision:
    if mail.row.is_history and ((person is not None and person.is_staff) or _is_archived_answer(mail)):
        # An admin imports what agents have sent: the archive is trusted, a mail that comes in is not.
        return participants.Decision(True, "an agent's answer in an archive")
    decision = participants.may_write(ticket, person)
    if decision.allowed and mail.reading.sender.by == FORM:
        # Whoever fills in a form types any address they like.
        return participants.Decision(False, "a form names the sender")
    return decision


def _agents_mail(mail: Received, person: Person, candidate: threads.Candidate, ticket: Ticket) -> tuple[str, str]:
    """What an agent says from their own mail program, answer or note: proven to be theirs, written by a person, to the reply
    address that we gave them, in a ticket that they see. Else "", and why it is none, for them to read."""
    says = mail.says(person)
    if mail.reading.sender.by != FROM or not says.is_proven:
        return "", "in an agent's name"
    if candidate.rule != "reply-token" or candidate.person != person.pk:
        return "", "an agent's mail, and not to their own reply address"
    if not says.is_proven_for(candidate):
        return "", "signed by an agent, but not as an answer to this"
    if mail.verdict.kind is not Kind.PERSON or mail.verdict.is_quiet:
        return "", "an agent's mail that looks like a machine's"
    if not access.tickets(person).filter(pk=ticket.pk).exists():
        return "", "an agent's mail, who does not see this ticket"
    own = _own_words(mail, person, ticket)
    if own is None:
        return "", "an agent's answer in which our mail to them is quoted, and could not be cut off"
    if not own.text and not mail.parsed.attachments:
        return "", "an agent's mail with nothing in it"
    if _note(own.text) or _answers_colleagues(mail, person):
        return "note", ""
    return ("", "an agent's answer to a closed ticket") if ticket.status == Ticket.Status.CLOSED else ("answer", "")


def _own_words(mail: Received, person: Person, ticket: Ticket) -> OwnWords | None:
    return own_words(mail.reading, lines_of_ours(ticket, person))


def _answers_colleagues(mail: Received, person: Person) -> bool:
    """Whether it answers a mail of ours that was about colleagues' affairs: those are none of the customer's."""
    ids = threads.parent_ids(mail.parsed)[:1]
    known = Q(message_id__in=ids) | Q(provider_message_id__in=ids)
    inside = [kind.slug for kind in KINDS.values() if kind.replies_stay_inside]
    return bool(ids) and OutboundMail.objects.filter(known, person=person, kind__in=inside).exists()


def _note(text: str) -> "re.Match[str] | None":
    """The word that makes an agent's mail a note, at the beginning or below a greeting. What comes of taking an answer for
    a note can be mended, the other way round it can't: however it is marked, quoted or translated, it counts."""
    return _NOTE.match(text[:500])


_NOTE = re.compile(
    r"(?P<greeting>\W{0,20}\w[^\n:：]{0,40}[,!.]?[ \t]{0,5}\n[\s>]{0,20})?[\W_]{0,20}(?:internal |interne )?(?:note|notes|notiz|nota)[\W_]{0,10}?[:：][\W_]{0,5}",
    re.IGNORECASE,
)


def _forwarded(mail: Received, person: Person | None) -> Forwarded | None:
    """The customer's mail that an agent hands on, where that is proven to be the agent's doing."""
    original = mail.reading.forwarded
    if original is None or person is None or not person.is_staff or not mail.row.mailbox.agents_forward:
        return None
    if mail.reading.sender.by != FROM or not mail.says(person).is_proven or not _is_whole(original.sender.address):
        return None
    if is_ours(original.sender.address, mail.ours):
        return None
    found = people.find(original.sender.address)
    return None if found is not None and found.is_staff else original


def _is_doubtful(mail: Received, person: Person | None) -> bool:
    """Whether its first mail opens a ticket that is marked, and nobody is written to."""
    if mail.row.is_history or not senders.is_in_force(mail.row.mailbox):
        return False
    return senders.is_doubtful(mail.says(person))


def _is_archived_answer(mail: Received) -> bool:
    """What an earlier system sent from our address, in an archive of it."""
    return mail.row.is_history and mail.reading.sender.by == NOBODY and bool(threads.parent_ids(mail.parsed))


def _wants_follow_up(ticket: Ticket, mail: Received) -> bool:
    return mail.verdict.kind is not Kind.AUTO_REPLY and ticket.mailbox.on_closed == Mailbox.OnClosed.FOLLOW_UP


# --- Writing


def _write(mail: Received, decided: Plan, stored: dict[int, str], number: int | None) -> Comment:
    if decided.rule == "forwarded":
        comment = _open_forwarded(mail, stored, number)
    elif decided.do in {"answer", "note"}:
        comment = _agents(mail, decided, stored)
    else:
        comment = _customers(mail, decided, stored, number)
    _remember_ids(mail, comment)
    return comment


def _customers(mail: Received, decided: Plan, stored: dict[int, str], number: int | None) -> Comment:
    # Who names nobody is somebody else each time.
    unknown = Address(f"unknown-{mail.row.pk}{people.NOWHERE}", mail.parsed.from_.name)
    written_by = mail.sender if mail.sender.address else unknown
    opens = decided.do == "open"
    is_doubtful = opens and _is_doubtful(mail, None)
    copied = _copied(mail) if opens else []
    asks_to_add = copied if is_doubtful or len(copied) > settings.MAX_PEOPLE_FROM_MAIL else []
    # A forger's name and language are not added to what we know of somebody.
    is_forged = mail.proof.verdict is Proven.FAILED and people.find(written_by.address) is not None
    met = actions.people_for(
        {
            written_by.address: ("", "") if is_forged else (written_by.name, mail.reading.language),
            **{address.address: (address.name, "") for address in ([] if asks_to_add else copied)},
        }
    )
    sender = met.pop(written_by.address)
    content = _content(
        mail, stored, is_automatic=mail.verdict.kind is not Kind.PERSON if opens else _is_machines(mail.verdict)
    )
    if opens:
        _, comment = actions.open_ticket(
            requester=sender, mailbox=mail.row.mailbox, subject=mail.parsed.subject, content=content,
            via=Comment.Via.EMAIL, actor=sender, cc=met.values(), number=number, at=_written_at(mail),
            follows=Ticket.objects.get(pk=decided.ticket) if decided.ticket else None,
            acknowledge=_may_be_answered(mail) and not is_doubtful, is_history=mail.row.is_history,
            address=written_by.address, asks_to_add=[[address.name, address.address] for address in asks_to_add],
            quote=mail.reading.sender.by == FROM,
        )  # fmt: skip
        return comment
    ticket = Ticket.objects.select_related("mailbox").get(pk=decided.ticket or 0)
    if decided.do == "comment":
        return actions.customer_comment(
            ticket, sender, content, via=Comment.Via.EMAIL, is_history=mail.row.is_history, address=written_by.address
        )
    return actions.hold(ticket, sender, content, reason=decided.reason)


def _agents(mail: Received, decided: Plan, stored: dict[int, str]) -> Comment:
    """An agent's answer or note, written in their own mail program, and nothing of our mail to them."""
    agent = people.find(mail.sender.address)
    assert agent is not None  # decided in this transaction
    ticket = Ticket.objects.select_related("mailbox").get(pk=decided.ticket or 0)
    own = _own_words(mail, agent, ticket)
    assert own is not None
    content = _content(mail, stored, is_automatic=False)
    content = replace(content, text=own.text, html=own.html, quoted_text="", quoted_html="")
    if decided.do == "note":
        if found := _note(own.text):
            content = replace(content, text=(found["greeting"] or "") + own.text[found.end() :], html="")
        return actions.note(ticket, content, actor=agent, via=Comment.Via.EMAIL)
    return actions.reply(ticket, content, actor=agent, via=Comment.Via.EMAIL)


def _open_forwarded(mail: Received, stored: dict[int, str], number: int | None) -> Comment:
    """A ticket in the name of the customer whose mail an agent hands on. What the agent wrote above it is a note. Nobody is
    told that it arrived: they have not written to us, and the agent answers."""
    original, agent = mail.reading.forwarded, people.find(mail.sender.address)
    assert original is not None
    assert agent is not None
    requester = actions.person_for(original.sender.address, original.sender.name)
    content = replace(
        _content(mail, stored, is_automatic=False), text=original.text, html="", quoted_text="", quoted_html=""
    )
    ticket, comment = actions.open_ticket(
        requester=requester, mailbox=mail.row.mailbox, subject=original.subject, content=content,
        via=Comment.Via.EMAIL, actor=agent, number=number, acknowledge=False, address=original.sender.address,
    )  # fmt: skip
    if original.note:
        actions.note(ticket, Content(text=original.note), actor=agent, via=Comment.Via.EMAIL)
    if original.message_id:
        MessageRef.objects.create(ticket=ticket, message_id=original.message_id[:500], kind=MessageRef.Kind.REFERENCED)
    return comment


def _content(mail: Received, stored: dict[int, str], *, is_automatic: bool) -> Content:
    reading = mail.reading
    return Content(
        text=reading.text,
        html=reading.html,
        quoted_text=reading.quoted_text,
        quoted_html=reading.quoted_html,
        files=tuple(
            File(stored[a.part], a.name, a.content_type, len(a.data), a.content_id, a.is_inline)
            for a in mail.files
            if a.part in stored
        ),
        is_automatic=is_automatic,
        mail=mail.row,
        created_at=_written_at(mail),
    )


def _is_machines(verdict: Verdict) -> bool:
    """Whether nobody waits for an answer, in a ticket that is there already. What comes by a list or in bulk gets no
    automatic mail, and may be a person's."""
    by_people = verdict.kind is Kind.AUTOMATIC and verdict.reason in {"bulk-mail", "no-reply-address"}
    return verdict.kind not in {Kind.PERSON, Kind.LIST} and not by_people


def _written_at(mail: Received) -> datetime:
    """When it was received; of an old archive, when it was written."""
    date = mail.parsed.date
    if mail.row.is_history and date is not None:
        return min(date if date.tzinfo else date.replace(tzinfo=UTC), mail.row.received_at)
    return mail.row.received_at


def _copied(mail: Received) -> list[Address]:
    """The people in To and Cc of a first mail, without our own addresses. They may write into the ticket."""
    parsed = mail.parsed
    wanted = {found.address: found for found in (*parsed.to, *parsed.cc)}
    return [
        found for address, found in wanted.items()
        if address not in {mail.sender.address, parsed.from_.address} and not is_ours(address, mail.ours) and _is_whole(address)
    ]  # fmt: skip


def _is_whole(address: str) -> bool:
    local, at, domain = address.rpartition("@")
    return bool(local and at and domain)


def _may_be_answered(mail: Received) -> bool:
    """No automatic mail in answer to automatic mail (RFC 3834 section 2), and none to nowhere."""
    return mail.verdict.kind is Kind.PERSON and not mail.verdict.is_quiet and bool(mail.sender.address)


def _remember_ids(mail: Received, comment: Comment) -> None:
    """The mail's id, and every id it refers to, lead to this ticket from now on."""
    parsed = mail.parsed
    ids = [(found, MessageRef.Kind.REFERENCED) for found in threads.parent_ids(parsed)]
    known = {found for (found,) in _refs_of(comment.ticket_id, [found for found, _ in ids])} if ids else set()
    rows = [
        MessageRef(ticket_id=comment.ticket_id, message_id=found, kind=kind)
        for found, kind in ids
        if found not in known
    ]
    if mail.row.message_id:
        rows.append(
            MessageRef(ticket_id=comment.ticket_id, message_id=mail.row.message_id, kind=MessageRef.Kind.RECEIVED)
        )
    MessageRef.objects.bulk_create(rows)


_refs_of = Prepared(
    lambda ticket, ids: MessageRef.objects.filter(ticket=ticket, message_id__in=ids).values_list("message_id")
)
