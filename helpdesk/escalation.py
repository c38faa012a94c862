"""What is due: warnings, breaches and escalation steps, each exactly once.

One query finds the tickets whose next alert is due, whatever their number. Each is then looked at
under its lock: the row that says "told" is unique and is written with the outbox rows, in one
transaction.
"""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone

from helpdesk import actions, assignment, history
from helpdesk.actions.common import changing
from helpdesk.models import Person, SLAAlert, SLAClock, SLAStep, Ticket
from helpdesk.outbound import notify
from helpdesk.sla import due_times, policies, stretches

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
        before = _clocks_of(current)
        policy = policies.active_policy(current.sla_policy_id)
        for clock in before:
            if policy is not None and clock.met_at is None and clock.due_at is not None:
                _do_what_is_due(current, clock, due_times.steps(clock, policy), now)
        after = _clocks_of(current)
        _take_for_told(current, before, after, now)


def _clocks_of(ticket: Ticket) -> list[SLAClock]:
    found = list(SLAClock.objects.filter(ticket=ticket))
    due_times.work_out(ticket, found)
    return found


def _do_what_is_due(
    ticket: Ticket, clock: SLAClock, steps: list[due_times.Step], now: datetime
) -> None:
    past = [step for step in steps if step.at <= now]
    begun = stretches.read(clock.periods)[0][0]
    warned = SLAAlert.objects.filter(
        ticket=ticket, target=clock.target, step=due_times.WARNING, created_at__gte=begun
    ).exists()
    # Who was away learns of the breach; a warning of it would come too late. And a clock that stood
    # still and runs again has another due time, and was warned about.
    no_warning = warned or any(step.name == due_times.BREACH for step in past)
    for step in past:
        is_silent = step.name == due_times.WARNING and no_warning
        if _once(ticket, clock, step.name) and not is_silent:
            _tell(ticket, clock, step.name, step.escalation)


def _take_for_told(
    ticket: Ticket, before: list[SLAClock], after: list[SLAClock], now: datetime
) -> None:
    """A priority that was raised has moved the due times: what was told once is not told again for
    them."""
    policy = policies.active_policy(ticket.sla_policy_id)
    if policy is None:
        return
    was = {(clock.target, clock.due_at) for clock in before}
    for clock in after:
        moved = (clock.target, clock.due_at) not in was
        if moved and clock.due_at is not None and clock.met_at is None:
            for step in due_times.steps(clock, policy):
                if step.at <= now:
                    _once(ticket, clock, step.name)
    due_times.work_out(ticket, after)


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
    if name == due_times.WARNING:
        history.record(ticket, "sla-warning", None, **data)
        for person in _first_told(ticket):
            notify.sla_warning(ticket, person, str(target.label), due)
        return
    history.record(
        ticket,
        "sla-breach" if step is None else "sla-escalation",
        None,
        **data,
        **({"after": step.after} if step else {}),
    )
    people = _first_told(ticket) if step is None else _told_by(ticket, step)
    for person in people:
        notify.sla_breach(ticket, person, str(target.label), due)
    if step is None:
        notify.sla_breach_of_team(ticket, str(target.label), due)
        return
    if step.raise_priority and ticket.priority < Ticket.Priority.URGENT:
        actions.set_priority(ticket, ticket.priority + 1, actor=None)
    if step.reassign and ticket.assignee_id:
        assignment.pass_on(ticket)


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
