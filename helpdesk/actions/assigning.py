"""Who works on a ticket."""

from django.utils import timezone

from helpdesk import access
from helpdesk.actions.common import changing
from helpdesk.history import record
from helpdesk.models import Assignment, Person, Ticket
from helpdesk.outbound import notify
from helpdesk.refused import Refused
from helpdesk.sla import clocks


def assign(
    ticket: Ticket, assignee: Person | None, *, actor: Person | None, version: int | None = None
) -> bool:
    """Gives the ticket to an agent, or (None) back to the queue; False where it was so already.
    Refused where it is not the actor's to give, or not to them: see `access.assignable`.

    An open ticket becomes assigned; one that is taken away from its agent becomes open again. The
    new assignee is told by mail, unless they took it themselves.
    """
    if assignee is not None and not assignee.is_staff:
        raise Refused(f"{assignee} is not an agent.", "assigned_to")
    if actor is not None and not actor.is_staff:
        raise Refused("Only staff assign tickets.", "assigned_to", is_permission=True)
    with changing(ticket, version=version) as current:
        if current.assignee_id == (assignee.pk if assignee else None):
            return False
        if (
            assignee
            and actor
            and not access.assignable(actor, current).filter(pk=assignee.pk).exists()
        ):
            raise Refused(
                f"{assignee} is in none of your teams and not in the ticket's; an admin assigns to "
                "anyone.",
                "assigned_to",
                is_permission=True,
            )
        before = current.assignee
        current.assignee = assignee
        record(
            current,
            "assigned" if assignee else "unassigned",
            actor,
            **{"from": str(before) if before else "", "to": str(assignee) if assignee else ""},
        )
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
            ticket=ticket,
            team_id=ticket.team_id,
            person_id=ticket.assignee_id,
            by=actor,
            started_at=now,
        )
