"""What a person may see: the only way to fetch tickets, comments and files on someone's behalf.

What is not theirs does not exist for them: the answer is 404, never 403, and never a hint.
"""

from typing import TypeGuard

from django.contrib.auth.models import AnonymousUser
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404

from helpdesk.models import Attachment, Comment, Participant, Person, Suppression, Ticket

Viewer = Person | AnonymousUser


def is_staff(viewer: Viewer) -> TypeGuard[Person]:
    return isinstance(viewer, Person) and viewer.is_staff


def is_admin(viewer: Viewer) -> TypeGuard[Person]:
    return isinstance(viewer, Person) and viewer.is_superuser


def tickets(viewer: Viewer) -> QuerySet[Ticket]:
    """Every ticket for staff; for a customer those they take part in; none for anyone else."""
    if is_staff(viewer):
        return Ticket.objects.all()
    if isinstance(viewer, Person) and viewer.is_active:
        mine = Participant.objects.filter(ticket=OuterRef("pk"), person=viewer)
        return Ticket.objects.filter(Exists(mine), is_spam=False)
    return Ticket.objects.none()


def ticket(viewer: Viewer, pk: int) -> Ticket:
    """Raises Http404 for a ticket that isn't there or isn't theirs."""
    return get_object_or_404(
        tickets(viewer).select_related("requester", "assignee", "mailbox", "team", "category", "sla_policy__calendar"),
        pk=pk,
    )


def comments(viewer: Viewer, ticket: Ticket) -> QuerySet[Comment]:
    """The ticket's comments in their order; customers see the public ones only."""
    seen = ticket.comments.select_related("author", "mail").prefetch_related("attachments", "outbound")
    if is_staff(viewer):
        return seen.order_by("created_at", "id")
    tickets(viewer).get(pk=ticket.pk)
    return seen.filter(visibility=Comment.Visibility.PUBLIC).order_by("created_at", "id")


def comment(viewer: Viewer, pk: int) -> Comment:
    """Raises Http404 for a comment that the viewer may not see."""
    found = get_object_or_404(Comment.objects.select_related("ticket", "author", "mail"), pk=pk)
    ticket(viewer, found.ticket_id)
    if not is_staff(viewer) and found.visibility != Comment.Visibility.PUBLIC:
        raise Http404
    return found


def attachment(viewer: Viewer, pk: int) -> Attachment:
    """Raises Http404 for a file of a comment that the viewer may not see."""
    found = get_object_or_404(Attachment.objects.select_related("comment"), pk=pk)
    comment(viewer, found.comment_id)
    return found


def suppressed(ticket: Ticket) -> list[Suppression]:
    """The participants' addresses that take no mail, with why."""
    addresses = ticket.participants.values("person__email")
    return list(Suppression.objects.filter(address__in=addresses).order_by("address"))


def staff() -> QuerySet[Person]:
    """Those who can be assigned to."""
    return Person.objects.filter(role__in=[Person.Role.AGENT, Person.Role.ADMIN], is_active=True).order_by(
        "name", "email"
    )
