"""What a person may see: the only way to fetch tickets, comments and files on someone's behalf.

What is not theirs does not exist for them: the answer is 404, never 403, and never a hint.
"""

from collections.abc import Iterable
from typing import Any, TypeGuard

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.http import Http404
from django.shortcuts import get_object_or_404

from helpdesk.models import (
    Attachment,
    Comment,
    CustomField,
    Event,
    OutboundMail,
    Participant,
    Person,
    Suppression,
    Team,
    Ticket,
)
from helpdesk.models.mail_kinds import KINDS, To
from helpdesk.models.person import STAFF_ROLES
from inbound.models import InboundMail, Mailbox

Viewer = Person | AnonymousUser


def is_staff(viewer: Viewer) -> TypeGuard[Person]:
    return isinstance(viewer, Person) and viewer.is_staff


def is_admin(viewer: Viewer) -> TypeGuard[Person]:
    return isinstance(viewer, Person) and viewer.is_superuser


def sees_everything(viewer: Viewer) -> TypeGuard[Person]:
    """Whether no ticket and no mail is hidden from them: from admins, and from agents unless
    AGENTS_SEE=teams."""
    return is_admin(viewer) or (is_staff(viewer) and settings.AGENTS_SEE != "teams")


def teams(viewer: Person) -> QuerySet[Team]:
    """The teams that they are in, or lead."""
    return Team.objects.filter(Q(members=viewer) | Q(lead=viewer)).order_by()


def tickets(viewer: Viewer) -> QuerySet[Ticket]:
    """Every ticket for staff (with AGENTS_SEE=teams, for agents their teams', nobody's, and their
    own); for a customer those they take part in, and of these, where a support PIN let them in,
    those that its issuer may see; none for anyone else."""
    if sees_everything(viewer):
        return Ticket.objects.all()
    if is_staff(viewer):
        return Ticket.objects.filter(
            Q(team=None) | Q(team__in=teams(viewer).values("pk")) | Q(assignee=viewer)
        )
    if isinstance(viewer, Person) and viewer.is_active:
        # It begins at the few where they take part, not at the many of which each would be asked.
        mine = Participant.objects.filter(person=viewer).values("ticket")
        theirs = Ticket.objects.filter(pk__in=mine, is_spam=False)
        if viewer.let_in_by is not None:
            # Whoever issued the PIN may be the one who entered it.
            issuer = viewer.let_in_by.issued_by or AnonymousUser()
            if not sees_everything(issuer):
                return theirs.filter(pk__in=tickets(issuer).order_by().values("pk"))
        return theirs
    return Ticket.objects.none()


def mails(viewer: Viewer) -> QuerySet[InboundMail]:
    """Received mail, for staff: with AGENTS_SEE=teams, for agents that of their tickets, and what
    is in none at mailboxes of their teams or of no team."""
    if sees_everything(viewer):
        return InboundMail.objects.all()
    if is_staff(viewer):
        boxes = Mailbox.objects.filter(
            Q(teams=None) | Q(teams__in=teams(viewer).values("pk"))
        ).values("pk")
        # Of each mail that is to be shown, and not of all there are.
        seen = tickets(viewer).filter(pk=OuterRef("ticket_number")).order_by()
        return InboundMail.objects.filter(Exists(seen) | Q(ticket_number=None, mailbox__in=boxes))
    return InboundMail.objects.none()


def may_be_told(person: Person, ticket: Ticket) -> bool:
    """Whether that member of staff may read what happens on the ticket: as `tickets`, of a ticket
    as it stands here, which its action may not have saved yet."""
    return sees_everything(person) or (
        is_staff(person)
        and (
            ticket.team_id is None
            or ticket.assignee_id == person.pk
            or teams(person).filter(pk=ticket.team_id).exists()
        )
    )


NOT_THEIRS = "the reader may not see the ticket"


def may_get(mail: OutboundMail) -> bool:
    """Whether a mail that was written for staff may still go to its reader: it was written while
    they saw its tickets, and they may have changed teams, or left, since. Other mail may."""
    kind = KINDS.get(mail.kind)
    if kind is None or kind.to is not To.STAFF or mail.person is None:
        return True
    person = mail.person
    if mail.ticket is not None:
        return may_be_told(person, mail.ticket)
    if not is_staff(person):
        return False
    return sees_everything(person) or tickets(person).filter(pk__in=mail.about).count() == len(
        mail.about
    )


def ticket(viewer: Viewer, pk: int) -> Ticket:
    """Raises Http404 for a ticket that isn't there or isn't theirs."""
    return get_object_or_404(tickets(viewer).select_related(*_SHOWN), pk=pk)


_SHOWN = ("requester", "assignee", "mailbox__identity", "team", "category", "sla_policy__calendar")


def as_it_is(changed: Ticket) -> Ticket:
    """A ticket read again for whoever has just changed it: one that they gave away is not theirs to
    open now."""
    return Ticket.objects.select_related(*_SHOWN).get(pk=changed.pk)


def comments(viewer: Viewer, ticket: Ticket) -> QuerySet[Comment]:
    """The ticket's comments in their order; customers see the public ones only."""
    seen = ticket.comments.select_related(
        "author", "mail", "ticket__mailbox__identity"
    ).prefetch_related("attachments", "outbound")
    if is_staff(viewer):
        return seen.order_by("created_at", "id")
    tickets(viewer).get(pk=ticket.pk)
    return seen.filter(visibility=Comment.Visibility.PUBLIC).order_by("created_at", "id")


def events(viewer: Viewer, ticket: Ticket) -> list[Event]:
    """The ticket's history, the newest last. Customers see what happened to the ticket, not how
    staff work."""
    found = ticket.events.select_related("actor").order_by("-id")
    if not is_staff(viewer):
        found = found.filter(kind__in=CUSTOMERS_SEE)
    return list(reversed(found[:100]))


CUSTOMERS_SEE = [
    "opened",
    "status",
    "customer-replied",
    "replied",
    "priority",
    "category",
    "subject",
    "rated",
]


def custom_fields_of_customers() -> set[str]:
    return set(CustomField.objects.filter(for_customers=True).values_list("slug", flat=True))


def person(viewer: Viewer, pk: int) -> Person:
    """A customer's profile: their own, or anybody's for staff. Raises Http404."""
    if isinstance(viewer, Person) and (viewer.pk == pk or viewer.is_staff):
        return get_object_or_404(Person, pk=pk)
    raise Http404


def attachment_at(viewer: Viewer, name: str) -> Attachment:
    """The file with that name in the storage. Raises Http404."""
    found = Attachment.objects.filter(file=name).values_list("pk", flat=True).first()
    return attachment(viewer, found or 0)


def comment(viewer: Viewer, pk: int) -> Comment:
    """Raises Http404 for a comment that the viewer may not see."""
    found = get_object_or_404(
        Comment.objects.select_related("ticket__mailbox__identity", "author", "mail"), pk=pk
    )
    ticket(viewer, found.ticket_id)
    if not is_staff(viewer) and found.visibility != Comment.Visibility.PUBLIC:
        raise Http404
    return found


def attachment(viewer: Viewer, pk: int) -> Attachment:
    """Raises Http404 for a file of a comment that the viewer may not see."""
    found = get_object_or_404(Attachment.objects.select_related("comment"), pk=pk)
    comment(viewer, found.comment_id)
    return found


def suppressed(participants: Iterable[Participant]) -> list[Suppression]:
    """Those of the participants' addresses that take no mail, with why."""
    addresses = {a for row in participants for a in (row.person.email, row.address) if a}
    return list(Suppression.objects.filter(address__in=addresses).order_by("address"))


def staff() -> QuerySet[Person]:
    """Agents and admins who are there."""
    return Person.objects.filter(role__in=_STAFF_ROLES, is_active=True).order_by("name", "email")


# As literals: SQLite goes by the index of staff alone only where the statement says what the index
# says, and looks at every customer otherwise.
_STAFF_ROLES = [RawSQL(f"'{role.value}'", []) for role in STAFF_ROLES]  # noqa: S611  # our own words


def assignable(viewer: Viewer, ticket: Ticket | None = None) -> QuerySet[Person]:
    """To whom somebody may give the ticket: an admin to all staff, an agent to themselves and to
    the members of their teams and the ticket's. Without a ticket: to whom they may give any. Where
    there are no teams, all staff are one."""
    if not is_staff(viewer):
        return Person.objects.none()
    if viewer.is_superuser or not Team.objects.exists():
        return staff()
    within = Team.objects.filter(
        Q(pk__in=teams(viewer).values("pk")) | Q(pk=ticket.team_id if ticket else None)
    )
    return staff().filter(
        Q(pk=viewer.pk) | Q(pk__in=Person.objects.filter(teams__in=within).values("pk"))
    )


def held() -> QuerySet[Comment, Any]:
    """The tickets in which a mail waits for an agent's decision: their ids. For narrowing `tickets`
    down."""
    waiting = Comment.objects.filter(visibility=Comment.Visibility.HELD, rejected_at__isnull=True)
    return waiting.order_by().values("ticket")


def participant(ticket: Ticket, person: int) -> Person | None:
    """That person, where they take part in the ticket."""
    row = ticket.participants.filter(person=person).select_related("person").first()
    return row.person if row else None
