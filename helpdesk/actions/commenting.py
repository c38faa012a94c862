"""What people say on a ticket that is there already."""

from django.db import transaction
from django.utils import timezone

from helpdesk import notify
from helpdesk.actions.assigning import assign
from helpdesk.actions.common import Refused, changing, record
from helpdesk.actions.content import Content, write_comment
from helpdesk.actions.moving import reopened_status
from helpdesk.models import Comment, Person, Ticket


def customer_comment(ticket: Ticket, author: Person, content: Content, *, via: str) -> Comment:
    """A customer's public comment. A person's reopens a resolved, pending or closed ticket and tells the assignee."""
    with changing(ticket) as current:
        comment = write_comment(current, author, content, visibility=Comment.Visibility.PUBLIC, via=via)
        if content.is_automatic:
            record(current, "automatic-reply", author, comment=comment.pk)
        else:
            received(current, comment)
    return comment


def received(current: Ticket, comment: Comment) -> None:
    """What follows from a customer's comment on a locked ticket: it waits for us again."""
    current.customer_waits_since = current.customer_waits_since or comment.created_at
    current.activity_at = timezone.now()
    Ticket.objects.filter(pk=current.pk).update(activity_at=current.activity_at)
    record(current, "customer-replied", comment.author, comment=comment.pk, via=comment.via)
    if current.status not in (Ticket.Status.OPEN, Ticket.Status.ASSIGNED):
        before, current.status = current.status, reopened_status(current)
        current.resolved_at = current.closed_at = None
        record(current, "status", None, **{"from": before, "to": current.status, "why": "the customer replied"})
    notify.customer_replied(current, comment)


def hold(ticket: Ticket, author: Person, content: Content, *, reason: str) -> Comment:
    """A comment that waits for an agent: it changes nothing else, and customers don't see it."""
    with transaction.atomic():
        comment = write_comment(
            ticket, author, content, visibility=Comment.Visibility.HELD, via=Comment.Via.EMAIL, held_reason=reason
        )
        record(ticket, "held", None, comment=comment.pk, sender=str(author), why=reason)
        Ticket.objects.filter(pk=ticket.pk).update(activity_at=timezone.now())
    return comment


def reply(ticket: Ticket, content: Content, *, actor: Person, via: str = Comment.Via.STAFF) -> Comment:
    """An agent's answer: public, mailed to every participant. Whoever answers an unassigned ticket takes it."""
    _must_say_something(content)
    with changing(ticket) as current:
        if current.status == Ticket.Status.CLOSED:
            raise Refused("This ticket is closed. Reopen it to answer.", "status")
        if current.assignee_id is None:
            assign(current, actor, actor=actor)
        comment = write_comment(current, actor, content, visibility=Comment.Visibility.PUBLIC, via=via)
        current.customer_waits_since = None
        record(current, "replied", actor, comment=comment.pk)
        Ticket.objects.filter(pk=current.pk).update(activity_at=timezone.now())
        notify.agent_reply(current, comment)
    return comment


def note(ticket: Ticket, content: Content, *, actor: Person, via: str = Comment.Via.STAFF) -> Comment:
    """An internal note: staff see it, nobody is mailed."""
    _must_say_something(content)
    with transaction.atomic():
        comment = write_comment(ticket, actor, content, visibility=Comment.Visibility.INTERNAL, via=via)
        record(ticket, "noted", actor, comment=comment.pk)
        Ticket.objects.filter(pk=ticket.pk).update(activity_at=timezone.now())
    return comment


def _must_say_something(content: Content) -> None:
    if not content.text.strip() and not content.files:
        raise Refused("Write something first.", "body")
