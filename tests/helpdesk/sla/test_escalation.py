"""What is due: who is told, what is done, each once and in order."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from helpdesk import actions, escalation
from helpdesk.actions import Content
from helpdesk.models import Event, OutboundMail, Person, SLAAlert, SLAClock, SLAStep, Team, Ticket
from helpdesk.sla import clocks, due_times, stretches
from tests.helpdesk.sla.test_sla import MINUTE, again, opened, policy
from tests.support.api import admin
from tests.support.mail import agent, customer, mailbox

pytestmark = pytest.mark.django_db

ONE_TARGET = {"first_response": 60, "next_response": None, "resolution": None}


def first_line(lead: Person | None = None, **fields: object) -> Team:
    """Whose tickets those are that are opened afterwards."""
    team = Team.objects.create(name="First line", lead=lead, **fields)
    mailbox().teams.add(team)
    return team


def of(ada: Person, minutes_ago: float, **fields: object) -> Ticket:
    """Opened so long ago, and Ada's."""
    ticket = opened(minutes_ago, **fields)
    actions.assign(ticket, ada, actor=ada)
    return ticket


def told(kind: str = "sla_") -> list[tuple[str, Person | None]]:
    rows = OutboundMail.objects.filter(kind__startswith=kind).select_related("person")
    return [(row.kind.removeprefix("sla_"), row.person) for row in rows.order_by("pk")]


def look_once_more() -> int:
    """As if every ticket were due again; how many were looked at."""
    Ticket.objects.update(sla_check_at=timezone.now())
    return escalation.sweep()


def events(ticket: Ticket) -> list[str]:
    found = Event.objects.filter(ticket=ticket, kind__startswith="sla-").order_by("pk")
    return list(found.values_list("kind", flat=True))


# --- Once


def test_a_priority_that_was_raised_moves_the_due_time_and_what_was_told_is_not_told_again() -> (
    None
):
    ada = agent()
    urgent = policy(name="high", position=1, priority=3, **{**ONE_TARGET, "first_response": 30})
    SLAStep.objects.create(policy=urgent, after=10, raise_priority=True)
    later = SLAStep.objects.create(policy=urgent, after=500)
    usual = policy(name="usual", position=2, **ONE_TARGET)
    SLAStep.objects.create(policy=usual, after=15, raise_priority=True)
    ticket = of(ada, 100)
    for _ in range(3):
        escalation.sweep()
    ticket = again(ticket)
    assert (ticket.priority, ticket.sla_policy) == (3, urgent)
    assert ticket.first_response_due == ticket.created_at + 30 * MINUTE
    assert told() == [("breach", ada), ("breach", ada)]  # the breach, and the one step
    assert events(ticket) == ["sla-breach", "sla-escalation"]
    # What is not due by the new time either is still to come.
    assert ticket.sla_check_at == ticket.created_at + 530 * MINUTE
    assert not SLAAlert.objects.filter(step=f"step {later.pk}").exists()


def test_a_clock_that_stood_still_and_runs_again_is_warned_about_once() -> None:
    ada = agent()
    policy(**ONE_TARGET)
    ticket = of(ada, 50)
    escalation.sweep()
    assert told() == [("warning", ada)]
    actions.set_status(ticket, "pending", actor=ada)
    for row in SLAClock.objects.all():  # since a minute ago
        (start, _end), *_ = stretches.read(row.periods)
        row.periods = stretches.write([(start, timezone.now() - MINUTE)])
        row.save()
    before = SLAAlert.objects.get().due_at
    actions.set_status(ticket, "assigned", actor=ada)
    assert again(ticket).first_response_due != before
    assert escalation.sweep() == 1
    assert told() == [("warning", ada)]
    assert events(ticket) == ["sla-warning"]
    assert SLAAlert.objects.filter(step="warning").count() == 2  # a row for each due time
    assert escalation.sweep() == 0


def test_each_question_has_a_warning_of_its_own() -> None:
    ada = agent()
    policy(first_response=600, next_response=60, resolution=None)
    ticket = of(ada, 300)

    def asks() -> None:
        actions.reply(again(ticket), Content(text="yes"), actor=ada)
        asked = Content(text="and?", created_at=timezone.now() - 50 * MINUTE)
        actions.customer_comment(again(ticket), ticket.requester, asked, via="email")

    asks()
    escalation.sweep()
    assert told() == [("warning", ada)]
    # Two hours ago, by now.
    SLAAlert.objects.update(created_at=timezone.now() - 120 * MINUTE)
    asks()
    for _ in range(2):
        escalation.sweep()
    assert told() == [("warning", ada), ("warning", ada)]


def test_a_second_sweep_tells_nothing_again_even_where_it_looks_again() -> None:
    ada = agent()
    SLAStep.objects.create(policy=policy(**ONE_TARGET), after=10, raise_priority=True)
    ticket = of(ada, 65)
    escalation.sweep()
    assert look_once_more() == 1
    assert told() == [("breach", ada)]
    assert events(ticket) == ["sla-breach"]
    assert again(ticket).priority == Ticket.Priority.NORMAL


def test_what_another_sweep_has_told_is_not_told_again() -> None:
    found = policy(**ONE_TARGET)
    step = SLAStep.objects.create(policy=found, after=10, raise_priority=True)
    ada = agent()
    ticket = of(ada, 100)
    for name in ("warning", "breach", f"step {step.pk}"):
        SLAAlert.objects.create(
            ticket=ticket, target="first_response", step=name, due_at=ticket.first_response_due
        )
    assert look_once_more() == 1
    assert told() == []
    assert again(ticket).priority == Ticket.Priority.NORMAL
    assert SLAAlert.objects.count() == 3


# --- In order


def test_the_ticket_that_has_been_due_for_longest_comes_first(monkeypatch) -> None:
    monkeypatch.setattr(escalation, "BATCH", 1)
    policy(**ONE_TARGET)
    admin()
    early, late, latest = opened(70), opened(90), opened(65)
    seen = []
    for _ in range(3):
        assert escalation.sweep() == 1
        seen.append(OutboundMail.objects.filter(kind="sla_breach").latest("pk").ticket)
    assert seen == [late, early, latest]
    assert escalation.sweep() == 0


def test_the_warning_comes_first_then_the_breach_then_each_step() -> None:
    found = policy(**ONE_TARGET, warn_at=50)
    second = SLAStep.objects.create(policy=found, after=45)
    first = SLAStep.objects.create(policy=found, after=20)
    ticket = of(agent(), 200)
    begun = ticket.created_at
    clock = SLAClock.objects.get(target="first_response")

    def after(minutes: int) -> datetime:
        return begun + timedelta(minutes=minutes)

    assert due_times.steps(clock, found) == [
        ("warning", after(30), None),
        ("breach", after(60), None),
        (f"step {first.pk}", after(80), first),
        (f"step {second.pk}", after(105), second),
    ]
    escalation.sweep()
    assert list(SLAAlert.objects.order_by("pk").values_list("step", flat=True)) == [
        "warning",
        "breach",
        f"step {first.pk}",
        f"step {second.pk}",
    ]
    written = Event.objects.filter(ticket=ticket, kind__startswith="sla-").order_by("pk")
    assert [(event.kind, event.data.get("after")) for event in written] == [
        ("sla-breach", None),
        ("sla-escalation", 20),
        ("sla-escalation", 45),
    ]


def test_nobody_is_warned_where_the_policy_warns_never() -> None:
    policy(**ONE_TARGET, warn_at=0)
    ticket = of(agent(), 59)
    assert escalation.sweep() == 0
    assert again(ticket).sla_check_at == ticket.first_response_due


# --- Who is told


@pytest.mark.parametrize(("minutes_ago", "kind"), [(50, "warning"), (70, "breach")])
def test_of_a_ticket_that_nobody_has_the_teams_lead_is_told_and_the_admins_where_there_is_none(
    minutes_ago: float, kind: str
) -> None:
    root, lena = admin(), agent("Lena")
    away = Person.objects.create_superuser("gone@example.com")
    Person.objects.filter(pk=away.pk).update(is_active=False)
    policy(**ONE_TARGET)
    team = first_line(lena)
    opened(minutes_ago)
    escalation.sweep()
    assert told() == [(kind, lena)]
    OutboundMail.objects.all().delete()
    Team.objects.filter(pk=team.pk).update(lead=None)
    opened(minutes_ago)
    escalation.sweep()
    assert told() == [(kind, root)]


def test_many_admins_who_have_left_do_not_keep_it_from_the_one_who_is_there() -> None:
    for number in range(20):
        Person.objects.create(
            email=f"{number}@example.com", role=Person.Role.ADMIN, is_active=False
        )
    root = admin()
    policy(**ONE_TARGET)
    opened(70)
    escalation.sweep()
    assert told() == [("breach", root)]


def test_a_lead_or_an_assignee_who_is_no_agent_any_more_is_not_told() -> None:
    root, lena, ada = admin(), agent("Lena"), agent("Ada")
    policy(**ONE_TARGET)
    first_line(lena)
    of(ada, 70)
    Person.objects.filter(pk=ada.pk).update(role=Person.Role.USER)
    escalation.sweep()
    assert told() == [("breach", lena)]
    Person.objects.filter(pk=lena.pk).update(is_active=False)
    opened(70)
    escalation.sweep()
    assert told() == [("breach", lena), ("breach", root)]


@pytest.mark.parametrize("whom", ["assignee", "lead", "admins"])
def test_a_step_tells_whom_it_names_and_nobody_else(whom: str) -> None:
    people = {"assignee": agent("Ada"), "lead": agent("Lena"), "admins": admin()}
    first_line(people["lead"])
    flags = {f"tell_{name}": name == whom for name in people}
    SLAStep.objects.create(policy=policy(**ONE_TARGET), after=10, **flags)
    of(people["assignee"], 80)
    escalation.sweep()
    assert told() == [("breach", people["assignee"]), ("breach", people[whom])]


def test_a_step_tells_an_assignee_who_is_the_lead_and_an_admin_once() -> None:
    root = admin()
    first_line(root)
    step = {"tell_assignee": True, "tell_lead": True, "tell_admins": True}
    SLAStep.objects.create(policy=policy(**ONE_TARGET), after=10, **step)
    of(root, 80)
    escalation.sweep()
    assert told() == [("breach", root), ("breach", root)]  # the breach, and the step


# --- What a step does


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 3), (3, 4), (4, 4)])
def test_a_step_raises_the_priority_by_one_and_not_above_urgent(before: int, after: int) -> None:
    SLAStep.objects.create(policy=policy(**ONE_TARGET), after=10, raise_priority=True)
    ticket = of(agent(), 80, priority=before)
    for _ in range(2):
        escalation.sweep()
    assert again(ticket).priority == after
    assert events(ticket) == ["sla-breach", "sla-escalation"]
    assert Event.objects.filter(ticket=ticket, kind="priority").exists() == (after != before)


def test_a_step_that_says_nothing_of_it_leaves_priority_and_assignee_alone() -> None:
    ada, bob = agent("Ada"), agent("Bob")
    first_line(strategy="least-loaded").members.set([ada, bob])
    SLAStep.objects.create(policy=policy(**ONE_TARGET), after=10)
    ticket = of(ada, 80)
    escalation.sweep()
    assert events(ticket) == ["sla-breach", "sla-escalation"]
    ticket = again(ticket)
    assert (ticket.priority, ticket.assignee) == (Ticket.Priority.NORMAL, ada)


@pytest.mark.parametrize(("strategy", "status"), [("least-loaded", "assigned"), ("manual", "open")])
def test_a_step_takes_the_ticket_from_its_assignee_and_another_of_the_team_gets_it(
    strategy: str, status: str
) -> None:
    ada, bob = agent("Ada"), agent("Bob")
    first_line(strategy=strategy).members.set([ada, bob])
    SLAStep.objects.create(policy=policy(**ONE_TARGET), after=10, reassign=True)
    ticket = of(ada, 80)
    escalation.sweep()
    ticket = again(ticket)
    assert ticket.assignee == (None if strategy == "manual" else bob)
    assert ticket.status == status


def test_a_step_passes_on_no_ticket_that_nobody_has() -> None:
    first_line(strategy="least-loaded").members.set([agent("Ada")])
    SLAStep.objects.create(policy=policy(**ONE_TARGET), after=10, reassign=True)
    ticket = opened(80)
    escalation.sweep()
    assert events(ticket) == ["sla-breach", "sla-escalation"]
    assert again(ticket).assignee is None  # it waits to be shared out, as it did


# --- Met


@pytest.mark.parametrize(("answered_after", "is_late"), [(59, False), (61, True)])
def test_what_was_met_is_measured_by_when_it_was_met_and_not_by_now(
    answered_after: int, is_late: bool
) -> None:
    policy(**ONE_TARGET)
    customer(), admin()
    ticket = opened(100)
    clocks.answered(ticket, ticket.created_at + answered_after * MINUTE)
    assert ticket.first_response_due == ticket.created_at + 60 * MINUTE
    assert again(ticket).is_breached is is_late
    look_once_more()
    assert told() == []  # whoever was late knows it
    assert again(ticket).is_breached is is_late
