"""Status, priority, team and subject."""

from django.utils import timezone

from helpdesk.actions.assigning import held_by
from helpdesk.actions.common import changing
from helpdesk.history import record
from helpdesk.models import Category, Person, Team, Ticket
from helpdesk.outbound import notify
from helpdesk.refused import Refused
from helpdesk.sla import clocks
from tasks.ring import ring

S = Ticket.Status
# From where to where. `open` and `assigned` are one place for the mover: which one it is follows
# from whether somebody is assigned.
MOVES: dict[str, set[str]] = {
    S.OPEN: {S.ASSIGNED, S.CLOSED},
    S.ASSIGNED: {S.OPEN, S.PENDING, S.RESOLVED, S.CLOSED},
    S.PENDING: {S.OPEN, S.ASSIGNED, S.RESOLVED, S.CLOSED},
    S.RESOLVED: {S.OPEN, S.ASSIGNED, S.CLOSED},
    S.CLOSED: {S.OPEN, S.ASSIGNED},
}


def reopened_status(ticket: Ticket) -> str:
    return S.ASSIGNED if ticket.assignee_id else S.OPEN


def set_status(
    ticket: Ticket,
    status: str,
    *,
    actor: Person | None,
    version: int | None = None,
    tell: bool = True,
) -> bool:
    """Moves the ticket; False where it stands there already. Refused says which moves there are.

    The customer is told that it is resolved, unless `tell` is off (an answer that says so goes out
    with it).
    """
    if status not in S.values:
        raise Refused(f"There is no status {status!r}. There are: {', '.join(S.values)}.", "status")
    with changing(ticket, version=version) as current:
        wanted = status
        if status in (S.OPEN, S.ASSIGNED) and current.status not in (S.OPEN, S.ASSIGNED):
            wanted = reopened_status(current)
        if wanted == current.status:
            return False
        if wanted not in MOVES[current.status]:
            raise Refused(_explain(current.status, wanted), "status")
        if wanted == S.ASSIGNED and current.assignee_id is None:
            raise Refused("Assign the ticket to someone; that makes it assigned.", "status")
        if wanted == S.OPEN and current.assignee_id is not None:
            raise Refused("It is assigned; take the assignee off to make it open.", "status")
        record(current, "status", actor, **{"from": current.status, "to": wanted})
        current.status = wanted
        clocks.moved(current, timezone.now())
        current.resolved_at = timezone.now() if wanted == S.RESOLVED else current.resolved_at
        current.closed_at = timezone.now() if wanted == S.CLOSED else None
        if wanted in (S.OPEN, S.ASSIGNED):
            current.resolved_at = None
        if wanted in (S.RESOLVED, S.CLOSED):
            current.customer_waits_since = None
        if tell and wanted == S.RESOLVED and (actor is None or actor.is_staff):
            notify.status_changed(current)
    return True


def set_priority(
    ticket: Ticket, priority: int, *, actor: Person | None, version: int | None = None
) -> bool:
    if priority not in Ticket.Priority.values:
        raise Refused("The priority must be low, normal, high or urgent.", "priority")
    if actor is not None and not actor.is_staff:
        # It decides by when we answer.
        raise Refused(
            "The priority is chosen when the ticket is opened; after that only staff change it.",
            "priority",
            is_permission=True,
        )
    with changing(ticket, version=version) as current:
        if current.priority == priority:
            return False
        names = dict(Ticket.Priority.choices)
        record(
            current, "priority", actor, **{"from": names[current.priority], "to": names[priority]}
        )
        current.priority = priority
        clocks.reconsidered(current)
    return True


def set_team(
    ticket: Ticket, team: Team | None, *, actor: Person | None, version: int | None = None
) -> bool:
    with changing(ticket, version=version) as current:
        if current.team_id == (team.pk if team else None):
            return False
        record(current, "team", actor, **{"from": str(current.team or ""), "to": str(team or "")})
        current.team = team
        held_by(current, actor)
        clocks.reconsidered(current)
        if current.assignee_id is None and current.status == S.OPEN:
            ring("tasks.sla.route", current.pk)
    return True


def set_category(
    ticket: Ticket, category: Category | None, *, actor: Person | None, version: int | None = None
) -> bool:
    """What the ticket is about. One that no department has goes to the category's."""
    with changing(ticket, version=version) as current:
        if current.category_id == (category.pk if category else None):
            return False
        record(
            current,
            "category",
            actor,
            **{"from": str(current.category or ""), "to": str(category or "")},
        )
        current.category = category
        if category and category.team_id and current.team_id is None:
            set_team(current, category.team, actor=actor)
            current.team = category.team
        clocks.reconsidered(current)
    return True


def _explain(now: str, wanted: str) -> str:
    if now == S.OPEN:
        return f"An open ticket can't become {wanted}: assign it first. It can also be closed."
    can = ", ".join(sorted(MOVES[now]))
    return f"A ticket that is {now} can't become {wanted}. It can become: {can}."
