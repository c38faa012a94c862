"""Why a due time is what it is, in words for the ticket's page."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from helpdesk.models import SLAClock, SLAPolicy, Ticket
from helpdesk.sla import stretches
from helpdesk.sla.policies import hours_of


@dataclass(frozen=True, slots=True)
class Line:
    """`state` is met, missed, late (not met and past its time), running or still."""

    target: str
    state: str
    due_at: datetime | None
    met_at: datetime | None
    why: str


def lines(ticket: Ticket) -> list[Line]:
    """One for each clock that has a target, in their order."""
    policy = ticket.sla_policy
    if policy is None:
        return []
    order = {target: number for number, target in enumerate(SLAClock.Target.values)}
    found = sorted(ticket.clocks.all(), key=lambda row: order[row.target])
    return [_line(row, policy) for row in found if row.minutes]


def _line(row: SLAClock, policy: SLAPolicy) -> Line:
    now, periods = timezone.now(), stretches.read(row.periods)
    calendar = policy.calendar
    hours = hours_of(calendar)
    running = stretches.is_running(periods)
    if row.met_at is not None:
        state = "missed" if row.due_at and row.due_at < row.met_at else "met"
    elif row.due_at is not None and row.due_at < now:
        state = "late"
    else:
        state = "running" if running else "still"
    spent = stretches.counted(hours, periods, now)
    breaks = [
        f"{_at(end)} to {_at(periods[number + 1][0])}"
        for number, (_, end) in enumerate(periods[:-1])
        if end is not None
    ]
    why = (
        f"{_long(timedelta(minutes=row.minutes or 0))} of “{calendar.name}” by the "
        f"policy “{policy.name}”"
    )
    why += f", from {_at(periods[0][0])}; {_long(spent)} counted" if periods else ""
    why += f"; it stood still from {', '.join(breaks[-3:])}" if breaks else ""
    why += "; it stands still now" if not running and row.met_at is None else ""
    return Line(str(row.get_target_display()), state, row.due_at, row.met_at, why)


def _at(at: datetime) -> str:
    return timezone.localtime(at).strftime("%-d %b %H:%M")


def _long(span: timedelta) -> str:
    hours, minutes = divmod(int(span.total_seconds()) // 60, 60)
    return " ".join(
        filter(
            None, (f"{hours} h" if hours else "", f"{minutes} min" if minutes or not hours else "")
        )
    )
