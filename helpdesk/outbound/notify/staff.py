"""What staff are told: of their tickets, of their answers, and of times that are missed.

Nobody is told of a ticket that they may not see.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from helpdesk import access
from helpdesk.models import Comment, OutboundMail, Person, Ticket
from helpdesk.models.mail_kinds import KINDS
from helpdesk.outbound import alerts, texts
from helpdesk.outbound.outbox_row import Draft, new_id, queue, reader_of, save
from helpdesk.outbound.thread_ids import staff_thread
from inbound.models import Mailbox
from inbound.reading.headers import one_line
from inbound.reading.proof import Verdict


def assigned(ticket: Ticket, assignee: Person, actor: Person | None) -> None:
    """To the agent: this is yours now."""
    first = (
        ticket.comments.filter(visibility=Comment.Visibility.PUBLIC)
        .order_by("created_at", "id")
        .first()
    )
    _tell_staff("assigned", assignee, ticket, None, {"actor": actor, "first": first})


def customer_replied(ticket: Ticket, comment: Comment) -> None:
    """To the assignee: the customer has answered."""
    if ticket.assignee and ticket.assignee.is_active:
        _tell_staff("customer_replied", ticket.assignee, ticket, comment, {"comment": comment})


def held(ticket: Ticket, comment: Comment) -> None:
    """To the assignee, or to everybody in the team of a ticket that nobody has: somebody waits to
    be let in.

    Once, until somebody has decided about what is held: what answers by itself would be told of its
    own answer. An agent in whose name it is hears that it has not gone out; nobody is told of a
    machine's.
    """
    if comment.is_automatic:
        return
    waiting = Comment.objects.filter(
        ticket=ticket, visibility=Comment.Visibility.HELD, rejected_at=None
    ).exclude(pk=comment.pk)
    author = comment.author
    if author and author.is_staff and not waiting.filter(author=author).exists():
        proof = (comment.mail.proof if comment.mail else None) or {}
        is_proven = proof.get("verdict") == Verdict.AUTHENTICATED
        context = {"comment": comment, "is_proven": is_proven}
        _tell_staff("in_your_name", author, ticket, comment, context)
    if waiting.exists():
        return
    for person in _who_decides(ticket):
        if person.pk != comment.author_id:
            _tell_staff("held", person, ticket, comment, {"comment": comment})


def _who_decides(ticket: Ticket) -> list[Person]:
    if ticket.assignee and ticket.assignee.is_active:
        return [ticket.assignee]
    members = ticket.team.members.filter(is_active=True) if ticket.team else []
    return [person for person in members if person.is_staff]


def mentioned(ticket: Ticket, comment: Comment, person: Person) -> None:
    """To an agent whom a colleague named in a note."""
    _tell_staff("mentioned", person, ticket, comment, {"comment": comment, "actor": comment.author})


def delivery_failed(mail: OutboundMail, why: str) -> None:
    """To the agent whose answer did not arrive, or to whoever has the ticket where they have left
    or may not see it."""
    if mail.ticket is None or mail.kind != "reply":
        return
    author = mail.comment.author if mail.comment else None
    for person in (author, mail.ticket.assignee):
        if person is not None and access.may_be_told(person, mail.ticket):
            _tell_staff("delivery_failed", person, mail.ticket, None, {"mail": mail, "why": why})
            return


def sla_warning(ticket: Ticket, person: Person, target: str, due: datetime) -> None:
    """A target will be missed soon."""
    _tell_staff("sla_warning", person, ticket, None, {"target": target, "due": due})


def sla_breach(ticket: Ticket, person: Person, target: str, due: datetime) -> None:
    """A target is missed, or was a while ago."""
    _tell_staff("sla_breach", person, ticket, None, {"target": target, "due": due})


def sla_breach_of_team(ticket: Ticket, target: str, due: datetime) -> None:
    """To the team's channels."""
    link = settings.PUBLIC_URL + reverse("admin:ticket", args=[ticket.pk])
    alerts.for_team(
        ticket.team,
        "sla_breach",
        ticket,
        f"[#{ticket.pk}] {target} missed: {ticket.subject}",
        f"It was due on {timezone.localtime(due):%d %b %H:%M}. {link}",
    )


def digest(
    person: Person, items: Sequence[tuple[Ticket, Sequence[object]]], mailbox: Mailbox
) -> None:
    """To a watcher: what happened on several tickets, in one mail."""
    about = [ticket.pk for ticket, _ in items]
    queue(Draft("digest", reader_of(person), mailbox, {"items": items}, about=about))


def test_mail(person: Person, mailbox: Mailbox, said: texts.Words) -> None:
    """A mailbox's own text with sample values, to the admin who wrote it."""
    save(
        OutboundMail(
            kind="test",
            person=person,
            mailbox=mailbox,
            to_address=person.email,
            to_name=one_line(person.name),
            from_name=one_line(mailbox.name),
            subject=said.subject,
            text=said.text,
            html=said.html,
            message_id=new_id(mailbox),
            is_automatic=True,
        ),
        "tasks.outbound.deliver",
    )


def _tell_staff(
    kind: str, person: Person, ticket: Ticket, comment: Comment | None, context: dict[str, Any]
) -> None:
    if not access.may_be_told(person, ticket):
        return
    mail = queue(
        Draft(
            kind,
            reader_of(person),
            ticket.mailbox,
            {**context, "reply_goes": _reply_goes(kind, ticket)},
            ticket,
            comment,
            parents=staff_thread(ticket),
        )
    )
    if mail is not None:
        alerts.for_person(person, kind, ticket, mail.subject, mail.text)


def _reply_goes(kind: str, ticket: Ticket) -> str:
    """Where an agent's reply to that mail goes, if it is proven to be theirs."""
    if not ticket.mailbox.plus_addressing or ticket.status == Ticket.Status.CLOSED:
        return ""
    return "inside" if KINDS[kind].replies_stay_inside else "out"
