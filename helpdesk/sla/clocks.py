"""The clocks of a ticket. Actions say what happened, under the ticket's lock; the due times follow.

- First response and resolution run from when the first mail was received. Next response runs from
  the oldest customer's comment that nobody has answered. Only a person's public answer meets a
  response.
- All stand still while the ticket is pending, and while it is resolved or closed.
- Resolving meets the resolution. Reopening takes that back: the clock goes on from where it stood,
  and the time in between does not count. What was answered stays answered.
- Another priority, team, category or policy counts the same stretches by the new rules.
"""

from datetime import datetime

from helpdesk import changes
from helpdesk.facts import Several
from helpdesk.models import SLAClock, Ticket
from helpdesk.sla import policies, stretches
from helpdesk.sla.due_times import work_out, write
from inbound.prepared import PreparedRows, padded

Target = SLAClock.Target
RUNS_IN = (Ticket.Status.OPEN, Ticket.Status.ASSIGNED)


def begin(ticket: Ticket) -> None:
    """A new ticket, which has its clocks from when it was received."""
    clocks_of.put(ticket.pk, [])
    known = policies.active()
    if not known:
        return
    running = stretches.write([(ticket.created_at, None)])
    clocks = [
        SLAClock(pk=changes.number_for(SLAClock), ticket=ticket, target=target, periods=running)
        for target in (Target.FIRST_RESPONSE, Target.RESOLUTION)
    ]
    changes.insert_all(clocks)
    work_out(ticket, clocks, known)


def customer_wrote(ticket: Ticket, at: datetime) -> None:
    """A person's comment, received at `at`. Where the first answer is given already, the next one
    is due."""
    clocks = _clocks(ticket)
    first = clocks.get(Target.FIRST_RESPONSE)
    if first is None or first.met_at is None:
        return
    running = stretches.write([(at, None)])
    upcoming = clocks.get(Target.NEXT_RESPONSE)
    if upcoming is None:
        target = Target.NEXT_RESPONSE
        clocks[target] = changes.insert(
            SLAClock(pk=changes.number_for(SLAClock), ticket=ticket, target=target, periods=running)
        )
    elif upcoming.met_at is not None:
        changes.update(upcoming, periods=running, met_at=None)
    work_out(ticket, list(clocks.values()))


def answered(ticket: Ticket, at: datetime) -> None:
    """An agent's public answer."""
    clocks = _clocks(ticket)
    for target in (Target.FIRST_RESPONSE, Target.NEXT_RESPONSE):
        if (found := clocks.get(target)) and found.met_at is None:
            stopped = stretches.write(stretches.stopped(stretches.read(found.periods), at))
            changes.update(found, met_at=at, periods=stopped)
    if ticket.first_responded_at is None:
        changes.update(ticket, first_responded_at=at)
    if clocks:
        work_out(ticket, list(clocks.values()))


def unanswered(ticket: Ticket, at: datetime) -> None:
    """The answer given at `at` was taken back before it left: its clocks run on as if it had not
    been."""
    clocks = _clocks(ticket)
    for found in clocks.values():
        if found.met_at == at and found.target != Target.RESOLUTION:
            periods = stretches.read(found.periods)
            running = stretches.write([*periods[:-1], (periods[-1][0], None)])
            changes.update(found, met_at=None, periods=running)
    if ticket.first_responded_at == at:
        changes.update(ticket, first_responded_at=None)
    if clocks:
        work_out(ticket, list(clocks.values()))


def moved(ticket: Ticket, at: datetime) -> None:
    """The ticket's status has changed to what it is now."""
    clocks = _clocks(ticket)
    if not clocks:
        return
    for found in clocks.values():
        before = (found.periods, found.met_at)
        periods = stretches.read(found.periods)
        if found.target == Target.RESOLUTION:
            over = ticket.status in (Ticket.Status.RESOLVED, Ticket.Status.CLOSED)
            found.met_at = (found.met_at or at) if over else None
        if ticket.status in RUNS_IN and found.met_at is None:
            found.periods = stretches.write(stretches.started(periods, at))
        else:
            found.periods = stretches.write(stretches.stopped(periods, at))
        if (found.periods, found.met_at) != before:
            changes.update(found, periods=found.periods, met_at=found.met_at)
    work_out(ticket, list(clocks.values()))


def reconsidered(ticket: Ticket) -> None:
    """Something that decides about the policy has changed."""
    if clocks := _clocks(ticket):
        work_out(ticket, list(clocks.values()))


def ended(ticket: Ticket) -> None:
    """Spam: there is nothing that anybody owes."""
    ticket.clocks.all().delete()
    clocks_of.put(ticket.pk, [])
    write(
        ticket,
        sla_policy=None,
        first_response_due=None,
        next_response_due=None,
        resolution_due=None,
        sla_due_at=None,
        sla_check_at=None,
        is_breached=False,
    )


def _clocks(ticket: Ticket) -> dict[str, SLAClock]:
    return {found.target: found for found in clocks_of(ticket.pk)}


def _read(tickets: list[int]) -> dict[int, list[SLAClock]]:
    found: dict[int, list[SLAClock]] = {}
    for clock in _rows(padded(tickets)):
        found.setdefault(clock.ticket_id, []).append(clock)
    return found


_rows = PreparedRows(lambda tickets: SLAClock.objects.filter(ticket__in=tickets).order_by("pk"))


clocks_of = Several(_read)  # by the ticket's number
clocks_of.grows(SLAClock, lambda clock: [clock.ticket_id], lambda clock: clock)
