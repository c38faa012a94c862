"""Who gets it: strategies, limits, and hand-over between departments."""

import itertools
from datetime import timedelta

import pytest

from helpdesk import actions, assignment
from helpdesk.actions import Content
from helpdesk.models import Assignment, BusinessCalendar, Category, Person, Team, Ticket
from tasks.sla import share_out, share_out_waiting
from tests.support.mail import agent, customer, mailbox

pytestmark = pytest.mark.django_db


def team(strategy: str, *members: Person, **fields: object) -> Team:
    found = Team.objects.create(name=f"team {Team.objects.count()}", strategy=strategy, **fields)
    found.members.set(members)
    return found


def opened(owner: Team | None = None, **fields: object) -> Ticket:
    mailbox().teams.set([owner] if owner else [])
    ticket, _ = actions.open_ticket(
        actions.NewTicket(
            requester=customer(),
            mailbox=mailbox(),
            subject="Help",
            content=Content(text="x"),
            via="email",
            actor=None,
            **fields,
        )
    )
    share_out(ticket.pk)
    return Ticket.objects.select_related("assignee", "team").get(pk=ticket.pk)


def test_by_hand_nobody_is_given_anything() -> None:
    assert opened(team("manual", agent("Ada"))).assignee is None


def test_in_turn() -> None:
    ada, bob, cid = agent("Ada"), agent("Bob"), agent("Cid")
    owner = team("round-robin", ada, bob, cid)
    assert [opened(owner).assignee for _ in range(6)] == [ada, bob, cid, ada, bob, cid]


def test_to_whoever_has_the_fewest_active_ones() -> None:
    ada, bob = agent("Ada"), agent("Bob")
    owner = team("least-loaded", ada, bob)
    first = opened(owner)
    assert first.assignee == ada
    second = opened(owner)
    assert second.assignee == bob
    actions.set_status(second, "resolved", actor=bob)
    assert opened(owner).assignee == bob


def test_by_skill_and_without_anyone_who_has_it_the_ticket_waits() -> None:
    ada, bob = agent("Ada"), agent("Bob")
    owner = team("skills", ada, bob)
    billing, travel = (
        Category.objects.create(name="Billing", team=owner),
        Category.objects.create(name="Travel"),
    )
    bob.skills.add(billing)
    assert opened(category=billing).assignee == bob
    assert opened(owner, category=travel).assignee is None


@pytest.mark.parametrize("why", ["away", "off", "hours"])
def test_who_is_not_at_work_gets_nothing_and_gets_what_waited_when_they_are(why: str) -> None:
    ada = agent("Ada")
    never = BusinessCalendar.objects.create(name="never", weekly="always", closures="")
    if why == "hours":
        from django.utils import timezone

        days = [timezone.now().date().replace(day=1)]
        never.closures = "\n".join(
            str(timezone.now().date() + timedelta(days=n)) for n in (-1, 0, 1) for _ in days
        )
        never.save()
    owner = team("least-loaded", ada, calendar=never if why == "hours" else None)
    Person.objects.filter(pk=ada.pk).update(is_away=why == "away", is_active=why != "off")
    ticket = opened(owner)
    assert ticket.assignee is None
    assert share_out_waiting() == 0
    Person.objects.filter(pk=ada.pk).update(is_away=False, is_active=True)
    Team.objects.update(calendar=None)
    assert share_out_waiting() == 1
    ticket.refresh_from_db()
    assert ticket.assignee == ada


def test_nobody_is_given_more_than_the_limit_and_the_rest_waits_visibly(settings, client) -> None:
    settings.AGENT_MAX_TICKETS = 3
    ada, bob = agent("Ada"), agent("Bob")
    owner = team("least-loaded", ada, bob)
    tickets = [opened(owner) for _ in range(8)]
    assert [assignment.load(ada), assignment.load(bob)] == [3, 3]
    client.force_login(ada)
    assert (
        client.get("/admin/tickets/?queue=open").content.decode().count("Waits for a free agent")
        == 2
    )
    actions.set_status(tickets[0], "resolved", actor=ada)
    assert share_out_waiting() == 1
    with pytest.raises(actions.Refused, match="3 active tickets"):
        assignment.take_next(ada)
    with pytest.raises(actions.Refused, match="3 active tickets"):
        assignment.take(tickets[-1], ada)
    # By hand an admin may give more.
    actions.assign(tickets[-1], ada, actor=Person.objects.create_superuser("root@example.com"))
    assert assignment.load(ada) == 4


def test_take_next_is_the_most_urgent_by_due_time_then_by_priority_then_by_age() -> None:
    from helpdesk.models import SLAPolicy

    ada, other = agent("Ada"), team("manual", agent("Bob"))
    plain, urgent = opened(), opened(priority=4)
    calendar = BusinessCalendar.objects.create(name="all", weekly="always")
    SLAPolicy.objects.create(name="high", priority=3, calendar=calendar, first_response=10)
    SLAPolicy.objects.create(name="low", priority=1, calendar=calendar, first_response=500)
    later, soon = opened(priority=1), opened(priority=3)
    theirs = opened(other, priority=4)
    assert [assignment.take_next(ada).pk for _ in range(4)] == [
        soon.pk,
        later.pk,
        urgent.pk,
        plain.pk,
    ]
    with pytest.raises(actions.Refused, match="waiting"):
        assignment.take_next(ada)
    assert Ticket.objects.get(pk=theirs.pk).assignee is None


def test_what_somebody_has_cannot_be_claimed() -> None:
    ada, bob, ticket = agent("Ada"), agent("Bob"), opened()
    assignment.take(ticket, ada)
    assignment.take(ticket, ada)
    with pytest.raises(actions.Refused, match="Ada has this ticket"):
        assignment.take(ticket, bob)


def test_hand_over_keeps_who_held_it_in_which_department_and_when() -> None:
    ada, bob = agent("Ada"), agent("Bob")
    first, second = team("manual", ada), team("manual", bob)
    ticket = opened(first)
    actions.assign(ticket, ada, actor=ada)
    actions.set_team(ticket, second, actor=ada)
    actions.assign(ticket, bob, actor=ada)
    rows = list(Assignment.objects.filter(ticket=ticket).order_by("pk"))
    assert [(row.team, row.person) for row in rows] == [
        (first, None),
        (first, ada),
        (second, ada),
        (second, bob),
    ]
    assert [row.is_active for row in rows] == [False, False, False, True]
    for before, after in itertools.pairwise(rows):
        assert before.ended_at == after.started_at


def test_an_escalation_passes_the_ticket_on_to_another_of_the_team() -> None:
    ada, bob = agent("Ada"), agent("Bob")
    ticket = opened(team("least-loaded", ada, bob))
    assignment.pass_on(ticket)
    ticket.refresh_from_db()
    assert ticket.assignee == bob


def test_a_team_that_gets_a_waiting_ticket_gives_it_out() -> None:
    ada = agent("Ada")
    ticket = opened()
    actions.set_team(ticket, team("round-robin", ada), actor=ada)
    share_out(ticket.pk)
    ticket.refresh_from_db()
    assert ticket.assignee == ada


def test_the_button_takes_the_next_one(client) -> None:
    ada, ticket = agent("Ada"), opened()
    client.force_login(ada)
    assert client.post("/admin/tickets/next/").url == f"/admin/tickets/{ticket.pk}/"
    assert Ticket.objects.get().assignee == ada
    client.force_login(customer())
    assert client.post("/admin/tickets/next/").status_code == 302
