"""What customers say on a ticket that is there already."""

from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from helpdesk import changes
from helpdesk.actions.common import changing
from helpdesk.actions.content import Content, write_comment
from helpdesk.actions.guests import taken
from helpdesk.actions.moving import reopened_status
from helpdesk.actions.people import wrote_from
from helpdesk.history import record
from helpdesk.models import Comment, Person, Ticket
from helpdesk.outbound import notify
from helpdesk.sla import clocks


def customer_comment(
    ticket: Ticket,
    author: Person,
    content: Content,
    *,
    via: str,
    is_history: bool = False,
    address: str = "",
) -> Comment:
    """A customer's public comment. A person's reopens a resolved, pending or closed ticket and
    tells the assignee; one from an archive does nothing but be there. Answers go to the `address`
    that they wrote from."""
    with changing(ticket) as current:
        comment = write_comment(
            current, author, content, visibility=Comment.Visibility.PUBLIC, via=via
        )
        if address:
            wrote_from(current, author, address)
        if is_history:
            _archived(current, comment)
        elif content.is_automatic:
            record(current, "automatic-reply", author, comment=comment.pk)
        else:
            taken(current, author)
            received(current, comment)
    return comment


def archived_answer(
    ticket: Ticket, author: Person | None, content: Content, *, is_note: bool
) -> Comment:
    """What an agent wrote, from an archive, public or as a note: it does nothing but be there.
    `author` is None where nobody can be named but the mailbox."""
    visibility = Comment.Visibility.INTERNAL if is_note else Comment.Visibility.PUBLIC
    with changing(ticket) as current:
        comment = write_comment(
            current, author, content, visibility=visibility, via=Comment.Via.EMAIL
        )
        _archived(current, comment)
    return comment


def _archived(current: Ticket, comment: Comment) -> None:
    """An archive's mails come in any order: its ticket began with the first of them."""
    record(current, "archived", comment.author, comment=comment.pk)
    opened = current.events.filter(kind="opened", data__via="archive")
    if comment.created_at < current.created_at and opened.exists():
        changes.update(current, created_at=comment.created_at)


def received(current: Ticket, comment: Comment) -> None:
    """What follows from a customer's comment on a locked ticket: it waits for us again."""
    current.customer_waits_since = current.customer_waits_since or comment.created_at
    changes.update(current, activity_at=timezone.now())
    record(current, "customer-replied", comment.author, comment=comment.pk, via=comment.via)
    if current.status not in (Ticket.Status.OPEN, Ticket.Status.ASSIGNED):
        before, current.status = current.status, reopened_status(current)
        current.resolved_at = current.closed_at = None
        clocks.moved(current, comment.created_at)
        record(
            current,
            "status",
            None,
            **{"from": before, "to": current.status, "why": "the customer replied"},
        )
    clocks.customer_wrote(current, comment.created_at)
    notify.customer_replied(current, comment)


def hold(ticket: Ticket, author: Person, content: Content, *, reason: str) -> Comment:
    """A comment that waits for an agent, who is told: it changes nothing else, and customers don't
    see it."""
    with transaction.atomic():
        comment = write_comment(
            ticket,
            author,
            content,
            visibility=Comment.Visibility.HELD,
            via=Comment.Via.EMAIL,
            held_reason=reason,
        )
        record(ticket, "held", None, comment=comment.pk, sender=str(author), why=reason)
        changes.update(ticket, activity_at=timezone.now())
        notify.held(ticket, comment)
    return comment


def came_again(mail: int, at: datetime) -> None:
    """The same mail again: its comment counts it. It changes nothing else, and nobody is told."""
    Comment.objects.filter(mail=mail).update(times=F("times") + 1, last_came_at=at)
