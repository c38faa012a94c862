"""What is due: warnings, breaches and escalation steps, each exactly once.

One query finds the tickets whose next alert is due, whatever their number. Each is then looked at under
its lock: the row that says "told" is unique and is written with the outbox rows, in one transaction.
"""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone

from helpdesk import actions, notify, routing
from helpdesk.actions.common import changing
from helpdesk.models import Person, SLAAlert, SLAClock, SLAStep, Ticket
from helpdesk.sla import clock, clocks, policies

BATCH = 500


def sweep() -> int:
    """Does what is due, the oldest first; how many tickets it looked at."""
    due = Ticket.objects.filter(sla_check_at__lte=timezone.now()).order_by("sla_check_at")
    found = list(due.only("pk")[:BATCH])
    for ticket in found:
        look_at(ticket)
    return len(found)


def look_at(ticket: Ticket) -> None:
    """Does what is due on one ticket, and says when to look at it again."""
    with changing(ticket) as current:
        now = timezone.now()
        running = {found.target: found for found in SLAClock.objects.filter(ticket=current)}
        clocks.work_out(current, list(running.values()))
        policy = next((p for p in policies.active() if p.pk == current.sla_policy_id), None)
        for found in running.values():
            if policy is None or found.met_at is not None or found.due_at is None:
                continue
            past = [(name, step) for name, at, step in clocks.steps(found, policy) if at <= now]
            names = [name for name, _ in past]
            begun = clock.read(found.periods)[0][0]
            warned = SLAAlert.objects.filter(
                ticket=current, target=found.target, step=clocks.WARNING, created_at__gte=begun
            ).exists()
            for name, step in past:
                # Who was away learns of the breach; a warning of it would come too late.
                # And a clock that stood still and runs again has another due time, and was warned about.
                silent = name == clocks.WARNING and (clocks.BREACH in names or warned)
                if _once(current, found, name) and not silent:
                    _tell(current, found, name, step)
        was = {(found.target, found.due_at) for found in running.values()}
        again = list(SLAClock.objects.filter(ticket=current))
        clocks.work_out(current, again)
        # A priority that was raised has moved the due times: what was told once is not told again for them.
        if policy is not None and current.sla_policy:
            for found in again:
                if (found.target, found.due_at) not in was and found.due_at is not None and found.met_at is None:
                    for name, at, _ in clocks.steps(found, policies.active_policy(current.sla_policy_id)):
                        if at <= now:
                            _once(current, found, name)
            clocks.work_out(current, again)


def _once(ticket: Ticket, found: SLAClock, step: str) -> bool:
    try:
        with transaction.atomic():
            _, created = SLAAlert.objects.get_or_create(
                ticket=ticket, target=found.target, step=step, due_at=_known(found.due_at)
            )
        return created
    except IntegrityError:  # another beat was faster
        return False


def _tell(ticket: Ticket, found: SLAClock, name: str, step: SLAStep | None) -> None:
    target, due = SLAClock.Target(found.target), _known(found.due_at)
    data = {"target": str(target.label), "due": due.isoformat()}
    if name == clocks.WARNING:
        actions.record(ticket, "sla-warning", None, **data)
        for person in _first_told(ticket):
            notify.sla_warning(ticket, person, str(target.label), due)
        return
    actions.record(ticket, "sla-breach" if step is None else "sla-escalation", None, **data,
                   **({"after": step.after} if step else {}))  # fmt: skip
    people = _first_told(ticket) if step is None else _told_by(ticket, step)
    for person in people:
        notify.sla_breach(ticket, person, str(target.label), due)
    if step is None:
        notify.sla_breach_of_team(ticket, str(target.label), due)
        return
    if step.raise_priority and ticket.priority < Ticket.Priority.URGENT:
        actions.set_priority(ticket, ticket.priority + 1, actor=None)
    if step.reassign and ticket.assignee_id:
        routing.pass_on(ticket)


def _first_told(ticket: Ticket) -> list[Person]:
    """The assignee; of a ticket that nobody has, the team's lead, else the admins."""
    if ticket.assignee is not None and ticket.assignee.is_staff:
        return [ticket.assignee]
    return _lead(ticket) or _admins()


def _told_by(ticket: Ticket, step: SLAStep) -> list[Person]:
    people = []
    if step.tell_assignee:
        people += [ticket.assignee] if ticket.assignee and ticket.assignee.is_staff else []
    if step.tell_lead:
        people += _lead(ticket)
    if step.tell_admins:
        people += _admins()
    return list({person.pk: person for person in people}.values())


def _lead(ticket: Ticket) -> list[Person]:
    lead = ticket.team.lead if ticket.team else None
    return [lead] if lead is not None and lead.is_staff else []


def _admins() -> list[Person]:
    return list(Person.objects.filter(role=Person.Role.ADMIN, is_active=True).order_by("pk")[:20])


def _known(at: datetime | None) -> datetime:
    assert at is not None
    return at
