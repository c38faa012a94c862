"""Who works on a ticket."""

from django.utils import timezone

from helpdesk import notify
from helpdesk.actions.common import Refused, changing, record
from helpdesk.models import Assignment, Person, Ticket
from helpdesk.sla import clocks


def assign(ticket: Ticket, assignee: Person | None, *, actor: Person | None, version: int | None = None) -> bool:
    """Gives the ticket to an agent, or (None) back to the queue; False where it was so already.

    An open ticket becomes assigned; one that is taken away from its agent becomes open again. The new
    assignee is told by mail, unless they took it themselves.
    """
    if assignee is not None and not assignee.is_staff:
        raise Refused(f"{assignee} is not an agent.", "assignee")
    with changing(ticket, version=version) as current:
        if current.assignee_id == (assignee.pk if assignee else None):
            return False
        before = current.assignee
        current.assignee = assignee
        record(
            current, "assigned" if assignee else "unassigned", actor,
            **{"from": str(before) if before else "", "to": str(assignee) if assignee else ""},
        )  # fmt: skip
        was = current.status
        if assignee and current.status == Ticket.Status.OPEN:
            current.status = Ticket.Status.ASSIGNED
        elif not assignee and current.status in (Ticket.Status.ASSIGNED, Ticket.Status.PENDING):
            current.status = Ticket.Status.OPEN
        held_by(current, actor)
        if current.status != was:
            clocks.moved(current, timezone.now())
        if assignee and (actor is None or actor.pk != assignee.pk):
            notify.assigned(current, assignee, actor)
    return True


def held_by(ticket: Ticket, actor: Person | None) -> None:
    """Writes down who holds the ticket from now on, and in which department."""
    now = timezone.now()
    Assignment.objects.filter(ticket=ticket, is_active=True).update(is_active=False, ended_at=now)
    if ticket.assignee_id or ticket.team_id:
        Assignment.objects.create(
            ticket=ticket, team_id=ticket.team_id, person_id=ticket.assignee_id, by=actor, started_at=now
        )
