"""When a ticket's clocks are due, and what happens then."""

from datetime import datetime, timedelta
from typing import NamedTuple

from django.utils import timezone

from helpdesk import changes
from helpdesk.models import SLAAlert, SLAClock, SLAPolicy, SLAStep, Ticket
from helpdesk.sla import policies, stretches
from helpdesk.sla.policies import hours_of

Target = SLAClock.Target
DUE_FIELD = {
    Target.FIRST_RESPONSE: "first_response_due",
    Target.NEXT_RESPONSE: "next_response_due",
    Target.RESOLUTION: "resolution_due",
}
WARNING, BREACH = "warning", "breach"


class Step(NamedTuple):
    """What happens about a due time; `escalation` is None for the warning and the breach."""

    name: str
    at: datetime
    escalation: SLAStep | None


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
        due = (
            stretches.reached(
                hours_of(policy.calendar), stretches.read(found.periods), timedelta(minutes=minutes)
            )
            if policy and minutes
            else None
        )
        # A clock that was stopped by its answer keeps the due time that it had.
        if policy and minutes and due is None and found.met_at is not None:
            due = stretches.reached(
                hours_of(policy.calendar), _as_if_running(found), timedelta(minutes=minutes)
            )
        if (found.minutes, found.due_at) != (minutes, due):
            changes.update(found, minutes=minutes, due_at=due)
        fields[DUE_FIELD[Target(found.target)]] = due
        if due is None:
            continue
        breached |= due < (found.met_at or now)
        if (
            found.met_at is None
            and policy is not None
            and stretches.is_running(stretches.read(found.periods))
        ):
            due_next.append(due)
            checks += [
                step.at
                for step in steps(found, policy)
                if (found.target, step.name, due) not in told
            ]
    write(
        ticket,
        sla_policy=policy,
        sla_due_at=min(due_next, default=None),
        sla_check_at=min(checks, default=None),
        is_breached=breached,
        **fields,
    )


def steps(found: SLAClock, policy: SLAPolicy) -> list[Step]:
    """What happens about a due time, in order."""
    if found.due_at is None or not found.minutes:
        return []
    total = timedelta(minutes=found.minutes)
    planned: list[tuple[str, datetime | None, SLAStep | None]] = []
    if policy.warn_at:
        planned.append((WARNING, _reached(found, policy, total * policy.warn_at / 100), None))
    planned.append((BREACH, found.due_at, None))
    for step in policy.steps.all():
        at = _reached(found, policy, total + timedelta(minutes=step.after))
        planned.append((f"step {step.pk}", at, step))
    return [Step(name, at, step) for name, at, step in planned if at is not None]


def _reached(found: SLAClock, policy: SLAPolicy, passed: timedelta) -> datetime | None:
    """When the clock has run for so long."""
    return stretches.reached(hours_of(policy.calendar), stretches.read(found.periods), passed)


def _as_if_running(found: SLAClock) -> list[stretches.Period]:
    periods = stretches.read(found.periods)
    return [*periods[:-1], (periods[-1][0], None)] if periods else []


def _told(ticket: Ticket) -> set[tuple[str, str, datetime]]:
    rows = SLAAlert.objects.filter(ticket=ticket)
    return set(rows.values_list("target", "step", "due_at"))


def write(ticket: Ticket, **fields: object) -> None:
    """Beside the version: due times follow from changes and are none themselves."""
    changed = {name: value for name, value in fields.items() if getattr(ticket, name) != value}
    changes.update(ticket, **changed)
