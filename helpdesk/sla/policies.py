"""Which policy holds for a ticket, and what its calendar is in arithmetic."""

from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays
from django.utils import timezone

from helpdesk.checks.opening_hours import closed_days, parse_weekly
from helpdesk.config_cache import kept_for_a_moment
from helpdesk.models import BusinessCalendar, SLAPolicy, Ticket
from helpdesk.sla.calendar import Hours


@kept_for_a_moment
def active() -> list[SLAPolicy]:
    """The policies in the order in which they are tried, with what the arithmetic needs."""
    return list(
        SLAPolicy.objects.filter(is_active=True)
        .select_related("calendar")
        .prefetch_related("steps")
    )


def active_policy(pk: int | None) -> SLAPolicy | None:
    return next((policy for policy in active() if policy.pk == pk), None)


def choose(ticket: Ticket, among: list[SLAPolicy]) -> SLAPolicy | None:
    """The first policy whose every condition fits."""
    address = ticket.requester.email
    return next((policy for policy in among if _fits(policy, ticket, address)), None)


def _fits(policy: SLAPolicy, ticket: Ticket, address: str) -> bool:
    wanted = policy.customer.lower()
    return (
        policy.team_id in (None, ticket.team_id)
        and policy.category_id in (None, ticket.category_id)
        and policy.priority in (None, ticket.priority)
        and (
            not wanted or address == wanted or (wanted.startswith("@") and address.endswith(wanted))
        )
    )


def hours_of(calendar: BusinessCalendar) -> Hours:
    return _hours(
        calendar.zone, calendar.weekly, calendar.country, calendar.subdivision, calendar.closures
    )


@lru_cache(256)
def _hours(zone: str, weekly: str, country: str, subdivision: str, closures: str) -> Hours:
    closed = set(closed_days(closures))
    if country:
        # From a little before anything can still run to as far as a due time can lie.
        this_year = timezone.now().year
        years = range(this_year - 3, this_year + 11)
        closed |= set(holidays.country_holidays(country, subdiv=subdivision or None, years=years))
    ZoneInfo(zone)
    return Hours(zone, parse_weekly(weekly), frozenset(closed))
