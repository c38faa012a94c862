"""The clocks of a ticket. Actions say what happened, under the ticket's lock; the due times follow.

- First response and resolution run from when the first mail was received. Next response runs from the
  oldest customer's comment that nobody has answered. Only a person's public answer meets a response.
- All stand still while the ticket is pending, and while it is resolved or closed.
- Resolving meets the resolution. Reopening takes that back: the clock goes on from where it stood, and
  the time in between does not count. What was answered stays answered.
- Another priority, team, category or policy counts the same stretches by the new rules.
"""

from datetime import datetime, timedelta

from django.utils import timezone

from helpdesk.models import SLAAlert, SLAClock, SLAPolicy, SLAStep, Ticket
from helpdesk.sla import clock, policies
from helpdesk.sla.policies import hours_of

Target = SLAClock.Target
RUNS_IN = (Ticket.Status.OPEN, Ticket.Status.ASSIGNED)
DUE_FIELD = {
    Target.FIRST_RESPONSE: "first_response_due",
    Target.NEXT_RESPONSE: "next_response_due",
    Target.RESOLUTION: "resolution_due",
}
WARNING, BREACH = "warning", "breach"


def opened(ticket: Ticket) -> None:
    """A new ticket, which has its clocks from when it was received."""
    known = policies.active()
    if not known:
        return
    clocks = [
        SLAClock(ticket=ticket, target=target, periods=clock.write([(ticket.created_at, None)]))
        for target in (Target.FIRST_RESPONSE, Target.RESOLUTION)
    ]
    SLAClock.objects.bulk_create(clocks)
    work_out(ticket, clocks, known)


def customer_wrote(ticket: Ticket, at: datetime) -> None:
    """A person's comment, received at `at`. Where the first answer is given already, the next one is due."""
    clocks = _clocks(ticket)
    first = clocks.get(Target.FIRST_RESPONSE)
    if first is None or first.met_at is None:
        return
    upcoming = clocks.get(Target.NEXT_RESPONSE) or SLAClock(ticket=ticket, target=Target.NEXT_RESPONSE)
    if upcoming.pk is None or upcoming.met_at is not None:
        upcoming.periods, upcoming.met_at = clock.write([(at, None)]), None
        upcoming.save()
        clocks[Target.NEXT_RESPONSE] = upcoming
    work_out(ticket, list(clocks.values()))


def answered(ticket: Ticket, at: datetime) -> None:
    """An agent's public answer."""
    clocks = _clocks(ticket)
    for target in (Target.FIRST_RESPONSE, Target.NEXT_RESPONSE):
        if (found := clocks.get(target)) and found.met_at is None:
            found.met_at, found.periods = at, clock.write(clock.stopped(clock.read(found.periods), at))
            found.save()
    if ticket.first_responded_at is None:
        ticket.first_responded_at = at
        Ticket.objects.filter(pk=ticket.pk).update(first_responded_at=at)
    if clocks:
        work_out(ticket, list(clocks.values()))


def unanswered(ticket: Ticket, at: datetime) -> None:
    """The answer given at `at` was taken back before it left: its clocks run on as if it had not been."""
    clocks = _clocks(ticket)
    for found in clocks.values():
        if found.met_at == at and found.target != Target.RESOLUTION:
            periods = clock.read(found.periods)
            found.met_at, found.periods = None, clock.write([*periods[:-1], (periods[-1][0], None)])
            found.save()
    if ticket.first_responded_at == at:
        ticket.first_responded_at = None
        Ticket.objects.filter(pk=ticket.pk).update(first_responded_at=None)
    if clocks:
        work_out(ticket, list(clocks.values()))


def moved(ticket: Ticket, at: datetime) -> None:
    """The ticket's status has changed to what it is now."""
    clocks = _clocks(ticket)
    if not clocks:
        return
    for found in clocks.values():
        before = (found.periods, found.met_at)
        periods = clock.read(found.periods)
        if found.target == Target.RESOLUTION:
            over = ticket.status in (Ticket.Status.RESOLVED, Ticket.Status.CLOSED)
            found.met_at = (found.met_at or at) if over else None
        if ticket.status in RUNS_IN and found.met_at is None:
            found.periods = clock.write(clock.started(periods, at))
        else:
            found.periods = clock.write(clock.stopped(periods, at))
        if (found.periods, found.met_at) != before:
            found.save()
    work_out(ticket, list(clocks.values()))


def reconsidered(ticket: Ticket) -> None:
    """Something that decides about the policy has changed."""
    if clocks := _clocks(ticket):
        work_out(ticket, list(clocks.values()))


def ended(ticket: Ticket) -> None:
    """Spam: there is nothing that anybody owes."""
    ticket.clocks.all().delete()
    _write(ticket, sla_policy=None, first_response_due=None, next_response_due=None, resolution_due=None,
           sla_due_at=None, sla_check_at=None, is_breached=False)  # fmt: skip


def work_out(ticket: Ticket, clocks: list[SLAClock], known: list[SLAPolicy] | None = None) -> None:
    """The due times from the clocks' stretches, and when the next alert is due."""
    policy = policies.choose(ticket, policies.active() if known is None else known)
    now = timezone.now()
    fields: dict[str, object] = dict.fromkeys(DUE_FIELD.values())
    due_next: list[datetime] = []
    checks: list[datetime] = []
    breached = False
    told = _told(ticket) if ticket.sla_check_at or ticket.is_breached else set()
    for found in clocks:
        minutes = getattr(policy, found.target) if policy else None
        due = clock.reached(hours_of(policy.calendar), clock.read(found.periods), timedelta(minutes=minutes)) if policy and minutes else None  # fmt: skip
        # A clock that was stopped by its answer keeps the due time that it had.
        if policy and minutes and due is None and found.met_at is not None:
            due = clock.reached(hours_of(policy.calendar), _as_if_running(found), timedelta(minutes=minutes))
        if (found.minutes, found.due_at) != (minutes, due):
            found.minutes, found.due_at = minutes, due
            SLAClock.objects.filter(pk=found.pk).update(minutes=minutes, due_at=due)
        fields[DUE_FIELD[Target(found.target)]] = due
        if due is None:
            continue
        breached |= due < (found.met_at or now)
        if found.met_at is None and policy is not None and clock.is_running(clock.read(found.periods)):
            due_next.append(due)
            checks += [at for step, at, _ in steps(found, policy) if (found.target, step, due) not in told]
    _write(
        ticket, sla_policy=policy, sla_due_at=min(due_next, default=None), sla_check_at=min(checks, default=None),
        is_breached=breached, **fields,
    )  # fmt: skip


def steps(found: SLAClock, policy: SLAPolicy) -> list[tuple[str, datetime, SLAStep | None]]:
    """What happens about a due time, in order: its name, when, and the escalation that it is."""
    if found.due_at is None or not found.minutes:
        return []
    hours, periods = hours_of(policy.calendar), clock.read(found.periods)
    total = timedelta(minutes=found.minutes)
    planned: list[tuple[str, datetime | None, SLAStep | None]] = []
    if policy.warn_at:
        planned.append((WARNING, clock.reached(hours, periods, total * policy.warn_at / 100), None))
    planned.append((BREACH, found.due_at, None))
    planned += [
        (f"step {step.pk}", clock.reached(hours, periods, total + timedelta(minutes=step.after)), step)
        for step in policy.steps.all()
    ]
    return [(name, at, step) for name, at, step in planned if at is not None]


def _as_if_running(found: SLAClock) -> list[clock.Period]:
    periods = clock.read(found.periods)
    return [*periods[:-1], (periods[-1][0], None)] if periods else []


def _told(ticket: Ticket) -> set[tuple[str, str, datetime]]:
    rows = SLAAlert.objects.filter(ticket=ticket)
    return set(rows.values_list("target", "step", "due_at"))


def _clocks(ticket: Ticket) -> dict[str, SLAClock]:
    return {found.target: found for found in SLAClock.objects.filter(ticket=ticket)}


def _write(ticket: Ticket, **fields: object) -> None:
    """Beside the version: due times follow from changes and are none themselves."""
    changed = {name: value for name, value in fields.items() if getattr(ticket, name) != value}
    for name, value in changed.items():
        setattr(ticket, name, value)
    if changed:
        Ticket.objects.filter(pk=ticket.pk).update(**changed)
