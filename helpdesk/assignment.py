"""Who gets a ticket: each team's way of sharing out, and an agent's "next one".

No agent is given more than AGENT_MAX_TICKETS active tickets by either. The agent's row is locked
and their tickets counted, then the ticket is taken: two workers never count the same place twice,
and never take the same ticket.
"""

from datetime import datetime

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from helpdesk import actions
from helpdesk.models import Person, Team, Ticket
from helpdesk.sla.calendar import is_open
from helpdesk.sla.policies import hours_of

ACTIVE = (Ticket.Status.ASSIGNED, Ticket.Status.PENDING)
Strategy = Team.Strategy
BATCH = 100  # tickets given out of one team in one go


def share_out(ticket: Ticket) -> Person | None:
    """Gives a waiting ticket to whom its team's strategy finds; None where it goes on waiting."""
    team = ticket.team
    if team is None or team.strategy == Strategy.MANUAL:
        return None
    for agent in _in_order(team, ticket):
        if _give(ticket, agent, actor=None):
            return agent
    return None


def share_out_waiting() -> int:
    """Gives out what waits in teams that share out by themselves, the most urgent first; how
    many."""
    given = 0
    for team in Team.objects.exclude(strategy=Strategy.MANUAL).select_related("calendar"):
        if not free_agents(team, timezone.now()):
            continue
        for ticket in _most_urgent(Ticket.objects.filter(team=team), BATCH):
            ticket.team = team
            if share_out(ticket) is None:
                if not free_agents(team, timezone.now()):
                    break
            else:
                given += 1
    return given


def take_next(agent: Person) -> Ticket:
    """The most urgent waiting ticket of the agent's teams, or of no team, is theirs. Refused where
    they have as many as they may, or nothing waits."""
    mine = Ticket.objects.filter(Q(team=None) | Q(team__in=agent.teams.all()))
    with transaction.atomic():
        _lock_with_room(agent)
        found = _most_urgent(mine, 1, take=True)
        if not found:
            raise actions.Refused("No ticket is waiting.")
        actions.assign(found[0], agent, actor=agent)
        return found[0]


def take(ticket: Ticket, agent: Person) -> None:
    """That ticket is the agent's. Refused where somebody has it already, or they have as many as
    they may."""
    with transaction.atomic():
        _lock_with_room(agent)
        with actions.changing(ticket) as current:
            if current.assignee_id == agent.pk:
                return
            if current.assignee_id is not None or current.status != Ticket.Status.OPEN:
                raise actions.Refused(
                    f"{current.assignee} has this ticket."
                    if current.assignee
                    else "This ticket is not waiting.",
                    "ticket_id",
                )
            actions.assign(current, agent, actor=agent)


def pass_on(ticket: Ticket) -> None:
    """Takes the ticket from its assignee and gives it to another of the team; to nobody where none
    is free."""
    before = ticket.assignee_id
    actions.assign(ticket, None, actor=None)
    if ticket.team is not None and ticket.team.strategy != Strategy.MANUAL:
        for agent in _in_order(ticket.team, ticket):
            if agent.pk != before and _give(ticket, agent, actor=None):
                return


def free_agents(team: Team, now: datetime) -> list[Person]:
    """Those of the team who can be given a ticket now, with how many active ones each has as
    `load`."""
    people = (
        team.members.filter(
            role__in=[Person.Role.AGENT, Person.Role.ADMIN], is_active=True, is_away=False
        )
        .select_related("calendar")
        .annotate(load=Count("assigned", filter=Q(assigned__status__in=ACTIVE)))
    )
    return [
        agent
        for agent in people
        if agent.load < settings.AGENT_MAX_TICKETS and _is_at_work(agent, team, now)  # type: ignore[attr-defined]
    ]


def load(agent: Person) -> int:
    return Ticket.objects.filter(assignee=agent, status__in=ACTIVE).count()


def _in_order(team: Team, ticket: Ticket) -> list[Person]:
    free = free_agents(team, timezone.now())
    if team.strategy == Strategy.SKILLS and ticket.category_id:
        able = set(
            Person.objects.filter(
                skills=ticket.category_id, pk__in=[a.pk for a in free]
            ).values_list("pk", flat=True)
        )
        free = [agent for agent in free if agent.pk in able]
    never = datetime.min.replace(tzinfo=timezone.get_default_timezone())
    if team.strategy == Strategy.ROUND_ROBIN:
        return sorted(free, key=lambda agent: (agent.last_given_at or never, agent.pk))
    return sorted(free, key=lambda agent: (agent.load, agent.last_given_at or never, agent.pk))  # type: ignore[attr-defined]


def _give(ticket: Ticket, agent: Person, *, actor: Person | None) -> bool:
    """False where the agent has no room any more, or somebody was faster."""
    with transaction.atomic():
        try:
            _lock_with_room(agent)
        except actions.Refused:
            return False
        with actions.changing(ticket) as current:
            if (
                current.assignee_id is not None
                or current.status != Ticket.Status.OPEN
                or current.is_spam
            ):
                return False
            actions.assign(current, agent, actor=actor)
        Person.objects.filter(pk=agent.pk).update(last_given_at=timezone.now())
    return True


def _lock_with_room(agent: Person) -> None:
    """Locks the agent's row until the transaction ends. Refused where they have as many tickets as
    they may."""
    # On SQLite the transaction is alone from its beginning. NO KEY: a row that refers to the
    # person, such as a mail to them, may be written meanwhile; who holds a ticket and writes one
    # would wait for who waits for the ticket.
    if connection.vendor == "postgresql":
        Person.objects.select_for_update(of=("self",), no_key=True).get(pk=agent.pk)
    if load(agent) >= settings.AGENT_MAX_TICKETS:
        raise actions.Refused(
            f"{agent} has {settings.AGENT_MAX_TICKETS} active tickets, and can't take more.",
            "assigned_to",
        )


def _most_urgent(rows: QuerySet[Ticket], number: int, *, take: bool = False) -> list[Ticket]:
    """Waiting tickets: by their next due time, then those that have none, by priority and age."""
    rows = rows.filter(status=Ticket.Status.OPEN, assignee=None).select_related(
        "requester", "mailbox", "team"
    )
    if take and connection.vendor == "postgresql":
        rows = rows.select_for_update(of=("self",), skip_locked=True, no_key=True)
    found = list(rows.filter(sla_due_at__isnull=False).order_by("sla_due_at", "pk")[:number])
    if len(found) < number:
        found += rows.filter(sla_due_at=None).order_by("-priority", "pk")[: number - len(found)]
    return found


def _is_at_work(agent: Person, team: Team, now: datetime) -> bool:
    calendar = agent.calendar or team.calendar
    return calendar is None or is_open(hours_of(calendar), now)
