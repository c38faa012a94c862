"""The comment that a mail becomes, in its ticket or in a new one."""

from django.conf import settings

from helpdesk import actions, changes, people
from helpdesk.actions.common import by_number
from helpdesk.intake import threads, write_agents
from helpdesk.intake.archive import Answer
from helpdesk.intake.content import content_of, is_machines, written_at
from helpdesk.intake.placing import is_doubtful
from helpdesk.intake.plan import ARCHIVED, Plan
from helpdesk.intake.understood import Understood
from helpdesk.models import Comment, MessageRef, Ticket
from inbound.reading.message import Address, Kind
from inbound.reading.proof import Verdict as Proven
from inbound.reading.sender import FROM, is_ours


def write(mail: Understood, decided: Plan, stored: dict[int, str]) -> Comment:
    if decided.rule == "forwarded":
        comment = write_agents.hands_on(mail, stored)
    elif mail.answer is not None and (decided.do != "open" or decided.rule == ARCHIVED):
        comment = _archived(mail, mail.answer, decided, stored)
    elif decided.do in {"answer", "note"}:
        comment = write_agents.says(mail, decided, stored)
    else:
        comment = _customers(mail, decided, stored)
    _remember_ids(mail, comment)
    return comment


def _customers(mail: Understood, decided: Plan, stored: dict[int, str]) -> Comment:
    if decided.do == "open":
        return _opens(mail, decided, stored)
    written_by = _writer(mail)
    sender = actions.people_for({written_by.address: _known_as(mail, written_by)})[
        written_by.address
    ]
    content = content_of(mail, stored, is_automatic=is_machines(mail.verdict))
    ticket = _ticket(decided)
    if decided.do == "comment":
        return actions.customer_comment(
            ticket,
            sender,
            content,
            via=Comment.Via.EMAIL,
            is_history=mail.row.is_history,
            address=written_by.address,
        )
    return actions.hold(ticket, sender, content, reason=decided.reason)


def _opens(mail: Understood, decided: Plan, stored: dict[int, str]) -> Comment:
    written_by, copied, doubtful = _writer(mail), _copied(mail), is_doubtful(mail, None)
    asks_to_add = copied if doubtful or len(copied) > settings.MAX_PEOPLE_FROM_MAIL else []
    met = actions.people_for(
        {
            written_by.address: _known_as(mail, written_by),
            **{address.address: (address.name, "") for address in ([] if asks_to_add else copied)},
        }
    )
    sender = met.pop(written_by.address)
    _, comment = actions.open_ticket(
        actions.NewTicket(
            requester=sender,
            mailbox=mail.row.mailbox,
            subject=mail.parsed.subject,
            content=content_of(mail, stored, is_automatic=mail.verdict.kind is not Kind.PERSON),
            via=Comment.Via.EMAIL,
            actor=sender,
            cc=[*met.values()],
            at=written_at(mail),
            follows=_ticket(decided) if decided.ticket else None,
            acknowledge=_may_be_answered(mail) and not doubtful,
            is_history=mail.row.is_history,
            address=written_by.address,
            asks_to_add=[[address.name, address.address] for address in asks_to_add],
            quote=mail.reading.sender.by == FROM,
        )
    )
    return comment


def _writer(mail: Understood) -> Address:
    """Who names nobody is somebody else each time."""
    if mail.sender.address:
        return mail.sender
    return Address(f"unknown-{mail.row.pk}{people.NOWHERE}", mail.parsed.from_.name)


def _known_as(mail: Understood, written_by: Address) -> tuple[str, str]:
    """The name and the language that a mail tells of its writer. A forger's are not added to what
    we know of somebody."""
    is_forged = mail.proof.verdict is Proven.FAILED and people.find(written_by.address) is not None
    return ("", "") if is_forged else (written_by.name, mail.reading.language)


def _copied(mail: Understood) -> list[Address]:
    """The people in To and Cc of a first mail, without our own addresses. They may write into the
    ticket."""
    parsed = mail.parsed
    wanted = {found.address: found for found in (*parsed.to, *parsed.cc)}
    return [
        found
        for address, found in wanted.items()
        if address not in {mail.sender.address, parsed.from_.address}
        and not is_ours(address, mail.ours)
        and people.is_whole(address)
    ]


def _may_be_answered(mail: Understood) -> bool:
    """No automatic mail in answer to automatic mail (RFC 3834 section 2), and none to nowhere."""
    return (
        mail.verdict.kind is Kind.PERSON and not mail.verdict.is_quiet and bool(mail.sender.address)
    )


def _archived(
    mail: Understood,
    answer: Answer,
    decided: Plan,
    stored: dict[int, str],
) -> Comment:
    """What we wrote, in an archive: into its ticket, or into one of whom it was written to."""
    content = content_of(mail, stored, is_automatic=is_machines(mail.verdict))
    if decided.do != "open":
        ticket = _ticket(decided)
        return actions.archived_answer(ticket, answer.author, content, is_note=decided.do == "note")
    first, *others = answer.people
    are_too_many = len(others) > settings.MAX_PEOPLE_FROM_MAIL
    met = actions.people_for(
        {found.address: (found.name, "") for found in ([first] if are_too_many else answer.people)}
    )
    requester = met.pop(first.address)
    _, comment = actions.open_ticket(
        actions.NewTicket(
            requester=requester,
            mailbox=mail.row.mailbox,
            subject=mail.parsed.subject,
            content=content,
            via=Comment.Via.EMAIL,
            actor=answer.author,
            cc=[*met.values()],
            at=written_at(mail),
            is_history=True,
            is_answer=True,
            address=first.address,
            asks_to_add=[[found.name, found.address] for found in (others if are_too_many else [])],
        )
    )
    return comment


def _remember_ids(mail: Understood, comment: Comment) -> None:
    """The mail's id, and every id it refers to, lead to this ticket from now on."""
    ticket = comment.ticket_id
    ids = [
        (found, MessageRef.Kind.REFERENCED)
        for found, refs in threads.led_to.all(threads.parent_ids(mail.parsed)).items()
        if all(ref.ticket != ticket for ref in refs)
    ]
    if mail.row.message_id:
        ids.append((mail.row.message_id, MessageRef.Kind.RECEIVED))
    changes.insert_all(
        [MessageRef(ticket_id=ticket, message_id=found, kind=kind) for found, kind in ids]
    )


def _ticket(decided: Plan) -> Ticket:
    found = by_number(decided.ticket or 0)
    assert found is not None  # decided in this transaction
    return found
