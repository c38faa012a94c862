"""Which ticket a mail goes to, and whether its sender may write there."""

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from helpdesk import participants, people
from helpdesk.actions.common import by_number
from helpdesk.intake import agents, senders, threads, unwanted
from helpdesk.intake.archive import Answer
from helpdesk.intake.plan import ARCHIVED, Plan
from helpdesk.intake.understood import Understood
from helpdesk.models import Person, Ticket
from inbound.models import InboundMail, Mailbox
from inbound.reading.message import Evidence, Kind
from inbound.reading.sender import FORM

WAIT_FOR_PARENT = timedelta(minutes=2)

State, Look = InboundMail.State, InboundMail.Look


def into_a_ticket(mail: Understood) -> Plan:
    if mail.answer is not None and (found := _archived_answer(mail, mail.answer)) is not None:
        return found
    sender = people.find(mail.sender.address) if mail.sender.address else None
    return _from(sender, mail)


@dataclass(frozen=True, slots=True)
class _Judged:
    """What a mail does in one of the tickets that it may belong to; `do` is "" where it may not
    write there, and `why` says so. `would_hold`: what the policy about senders says of it."""

    do: str
    rule: str = ""
    why: str = ""
    would_hold: str = ""


def _from(person: Person | None, mail: Understood) -> Plan:
    search = threads.locate(mail.parsed, mail.named, _before(mail))
    tickets = by_number.all(candidate.ticket for candidate in search.candidates)
    refused: list[Evidence] = []
    looked: Evidence = {"looked_at": search.looked_at, "candidates": refused}
    held: tuple[threads.Candidate, str] | None = None
    would_hold = ""
    for candidate in search.candidates:
        if (ticket := tickets[candidate.ticket]) is None:
            continue
        judged = _judge(mail, person, candidate, ticket)
        would_hold = would_hold or judged.would_hold
        if judged.do:
            looked["located_by"] = {"rule": candidate.rule, "by": candidate.by}
            do, rule = judged.do, judged.rule
            return Plan(do, rule, ticket=ticket.pk, evidence=looked, would_hold=would_hold)
        refused.append(_refused(candidate, judged.why))
        # A common ancestor that a stranger refers to as well is no reason to look into this ticket.
        if candidate.is_direct and held is None:
            held = (candidate, judged.why)
    if held is not None:
        return _held(*held, looked)
    return _wait_for_parent(mail, looked) or _apart(person, mail, looked)


def _judge(
    mail: Understood, person: Person | None, candidate: threads.Candidate, ticket: Ticket
) -> _Judged:
    if person is not None and person.is_staff and not mail.row.is_history:
        do, why = agents.what_it_is(mail, person, candidate, ticket)
        return _Judged(do, "agents-mail", why)
    decision = _may_write(mail, person, ticket)
    if not decision.allowed:
        return _Judged("", why=decision.why)
    if mail.row.is_history:
        return _Judged("comment", candidate.rule)
    would_hold = senders.objection(mail.says(person), candidate)
    if would_hold and senders.is_in_force(mail.row.mailbox):
        return _Judged("", why=would_hold, would_hold=would_hold)
    if ticket.status == Ticket.Status.CLOSED and _wants_follow_up(ticket, mail):
        return _Judged("open", "follow-up", would_hold=would_hold)
    return _Judged("comment", candidate.rule, would_hold=would_hold)


def _refused(candidate: threads.Candidate, why: str) -> Evidence:
    if not candidate.is_direct:
        why = f"{why}, and only an id that others mention leads here"
    return {"ticket": candidate.ticket, "rule": candidate.rule, "by": candidate.by, "why": why}


def _held(candidate: threads.Candidate, why: str, looked: Evidence) -> Plan:
    looked["located_by"] = {"rule": candidate.rule, "by": candidate.by}
    evidence = {**looked, "held": why}
    return Plan("hold", candidate.rule, ticket=candidate.ticket, reason=why, evidence=evidence)


def _apart(person: Person | None, mail: Understood, looked: Evidence) -> Plan:
    """A mail that belongs to no ticket: one of its own, but for a machine's answer to nothing."""
    if mail.verdict.kind is Kind.AUTO_REPLY and not mail.row.force:
        return _to_nothing(looked)
    if (original := agents.forwarded(mail, person)) is not None:
        looked |= {
            "requester": original.sender.address,
            "requester_by": f"forwarded by {mail.sender.address}",
        }
        return Plan("open", "forwarded", evidence=looked)
    would_hold = senders.not_from(mail.proof) if senders.is_doubtful(mail.says(person)) else ""
    if is_doubtful(mail, person):
        would_hold = ""
    return Plan("open", "new", evidence=looked, would_hold=would_hold)


def _to_nothing(looked: Evidence) -> Plan:
    rule, look = "auto-reply-to-nothing", Look.AUTOMATIC
    return Plan("quarantine", rule, reason="auto-reply", look=look, evidence=looked)


def _may_write(mail: Understood, person: Person | None, ticket: Ticket) -> participants.Decision:
    decision = participants.may_write(ticket, person)
    if decision.allowed and mail.reading.sender.by == FORM:
        # Whoever fills in a form types any address they like.
        return participants.Decision(False, "a form names the sender")
    return decision


def _wants_follow_up(ticket: Ticket, mail: Understood) -> bool:
    return (
        mail.verdict.kind is not Kind.AUTO_REPLY
        and ticket.mailbox.on_closed == Mailbox.OnClosed.FOLLOW_UP
    )


def is_doubtful(mail: Understood, person: Person | None) -> bool:
    """Whether its first mail opens a ticket that is marked, and nobody is written to."""
    if mail.row.is_history or not senders.is_in_force(mail.row.mailbox):
        return False
    return senders.is_doubtful(mail.says(person))


def _archived_answer(mail: Understood, answer: Answer) -> Plan | None:
    """What we wrote, in an archive: in the ticket of whom it was written to, or one of their own
    where what it answers is not there. Without a customer in it, it is a note; None where it is
    none of this: an agent asks for something."""
    search = threads.locate(mail.parsed, mail.named, _before(mail))
    looked: Evidence = {
        "looked_at": search.looked_at,
        "candidates": [],
        "answered_by": {
            "author": answer.author.email if answer.author else mail.row.mailbox.address,
            "by": answer.by,
        },
    }
    there = by_number.all(found.ticket for found in search.candidates)
    candidates = [found for found in search.candidates if there[found.ticket] is not None]
    direct = [found for found in candidates if found.is_direct]
    public = [found for found in candidates if answer.is_for(found.ticket)] or (
        direct if answer.is_to_us else []
    )
    for do, found in [
        *(("comment", found) for found in public),
        *(("note", found) for found in direct),
    ]:
        looked["located_by"] = {"rule": found.rule, "by": found.by}
        return Plan(do, found.rule, ticket=found.ticket, evidence=looked)
    if (wait := _wait_for_parent(mail, looked)) is not None:
        return wait
    if mail.verdict.kind is Kind.AUTO_REPLY and not mail.row.force:
        return _to_nothing(looked)
    if answer.people:
        return Plan("open", ARCHIVED, evidence=looked)
    return None if mail.sender.address or mail.row.force else unwanted.from_nobody(mail)


def _before(mail: Understood) -> int:
    """What is done is judged again by what was there before it, and not by what it left itself."""
    done = mail.row.state == State.DONE and mail.row.ticket_number
    return threads.left_by(mail.parsed, mail.row.ticket_number or 0) if done else threads.LATEST


def _wait_for_parent(mail: Understood, looked: Evidence) -> Plan | None:
    parent = threads.unprocessed_parent(mail.parsed, mail.row.pk)
    if parent and timezone.now() - mail.row.received_at < WAIT_FOR_PARENT:
        return Plan("wait", "parent-is-stored", waiting_for=parent, evidence=looked)
    return None
