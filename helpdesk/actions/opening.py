"""A new ticket."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from helpdesk import changes
from helpdesk.actions.content import Content, write_comment
from helpdesk.config_cache import kept_for_a_moment
from helpdesk.history import record
from helpdesk.models import Assignment, Category, Comment, Participant, Person, Team, Ticket
from helpdesk.outbound import alerts, notify
from helpdesk.sla import clocks
from inbound.models import Mailbox
from tasks.ring import ring


@dataclass(frozen=True, kw_only=True, slots=True)
class NewTicket:
    """What a ticket begins with. Its first comment is the requester's."""

    requester: Person
    mailbox: Mailbox
    subject: str
    content: Content
    via: str
    actor: Person | None  # who does this; None: nobody but the helpdesk
    cc: Sequence[Person] = ()  # may write into it and get its answers, except staff
    asks_to_add: Sequence[Sequence[str]] = ()  # [name, address] that wait for an agent to let them
    address: str = ""  # the one that the requester wrote from
    guest_name: str | None = None  # what a guest typed, with an address of their choice
    priority: int = Ticket.Priority.NORMAL
    category: Category | None = None
    follows: Ticket | None = None  # the closed one that it continues
    number: int | None = None  # a ticket id that was reserved
    at: datetime | None = None  # now
    acknowledge: bool = True
    quote: bool = True  # whether the acknowledgement repeats what was written
    is_history: bool = False  # from an archive: over and done with
    is_answer: bool = False  # the first comment is `actor`'s; None there is the mailbox itself


def open_ticket(new: NewTicket) -> tuple[Ticket, Comment]:
    """The ticket with its first comment, participants, event and acknowledgement, in one
    transaction."""
    with transaction.atomic(savepoint=False):
        ticket = _row(new)
        changes.insert(ticket)
        _let_take_part(ticket, new)
        comment = _first_comment(ticket, new)
        if ticket.team_id:
            since = ticket.created_at
            changes.insert(Assignment(ticket=ticket, team_id=ticket.team_id, started_at=since))
        if new.is_history:
            _close(ticket, new)
        else:
            _begin(ticket, comment, new)
    return ticket, comment


def _first_comment(ticket: Ticket, new: NewTicket) -> Comment:
    author = new.actor if new.is_answer else new.requester
    public = Comment.Visibility.PUBLIC
    return write_comment(
        ticket,
        author,
        new.content,
        visibility=public,
        via=new.via,
        asks_to_add=new.asks_to_add,
    )


def _row(new: NewTicket) -> Ticket:
    now = new.at or timezone.now()
    return Ticket(
        pk=new.number or changes.number_for(Ticket, ahead=1),  # none is left out
        subject=new.subject.strip()[:500] or "(no subject)",
        requester=new.requester,
        mailbox=new.mailbox,
        team=(new.category.team if new.category else None) or _team_of(new.mailbox.pk),
        category=new.category,
        guest_name=new.guest_name,
        follows=new.follows,
        priority=new.priority,
        created_at=now,
        activity_at=now,
        customer_waits_since=now,
    )


@kept_for_a_moment
def _team_of(mailbox: int) -> Team | None:
    return Team.objects.filter(mailboxes=mailbox).order_by("pk").first()


def _let_take_part(ticket: Ticket, new: NewTicket) -> None:
    others = {
        person.pk: person
        for person in new.cc
        if not person.is_staff and person.pk != new.requester.pk
    }
    requester = Participant(
        ticket=ticket,
        person=new.requester,
        role=Participant.Role.REQUESTER,
        source="requester",
        address="" if new.address == new.requester.email else new.address,
    )
    copied = [
        Participant(ticket=ticket, person=person, role=Participant.Role.CC, source="first mail")
        for person in others.values()
    ]
    changes.insert_all([requester, *copied])


def _close(ticket: Ticket, new: NewTicket) -> None:
    """Nobody waits, nothing runs, nobody is told."""
    changes.update(
        ticket,
        status=Ticket.Status.CLOSED,
        closed_at=ticket.created_at,
        customer_waits_since=None,
    )
    record(ticket, "opened", new.actor, via="archive")


def _begin(ticket: Ticket, comment: Comment, new: NewTicket) -> None:
    clocks.begin(ticket)
    follows = {"follows": new.follows.pk} if new.follows else {}
    record(ticket, "opened", new.actor, via=new.via, **follows)
    if new.follows:
        record(new.follows, "followed-up", new.actor, by=ticket.pk)
    if new.acknowledge and new.mailbox.send_acknowledgement:
        notify.acknowledgement(ticket, comment, quote=new.quote)
    if ticket.team and ticket.team.strategy != Team.Strategy.MANUAL:
        ring("tasks.sla.route", ticket.pk)
    title = f"New ticket #{ticket.pk}: {ticket.subject}"
    alerts.for_team(ticket.team, "opened", ticket, title, comment.text)
