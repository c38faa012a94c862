"""By when: the due times of a ticket against a slow reference, and alerts exactly once."""

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from helpdesk import actions, escalation
from helpdesk.actions import Content
from helpdesk.checks.opening_hours import closed_days
from helpdesk.models import (
    BusinessCalendar,
    Category,
    Comment,
    Event,
    OutboundMail,
    Person,
    SLAAlert,
    SLAClock,
    SLAPolicy,
    SLAStep,
    Team,
    Ticket,
)
from helpdesk.sla import stretches
from helpdesk.sla.calendar import ALWAYS
from helpdesk.sla.explain import lines
from helpdesk.sla.policies import hours_of
from tests.support.mail import agent, customer, eml, mailbox, receive, ticket_of

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def calendar(**fields: str) -> BusinessCalendar:
    found = BusinessCalendar(
        **{"name": f"c{random.random()}", "zone": "UTC", "weekly": "always", **fields}
    )
    found.full_clean()
    found.save()
    return found


def policy(**fields: object) -> SLAPolicy:
    given = {
        "name": f"p{random.random()}",
        "first_response": 60,
        "next_response": 30,
        "resolution": 600,
        **fields,
    }
    if "calendar" not in given:
        given["calendar"] = calendar()
    return SLAPolicy.objects.create(**given)


def opened(minutes_ago: float = 0, **fields: object) -> Ticket:
    at = timezone.now() - timedelta(minutes=minutes_ago)
    ticket, _ = actions.open_ticket(
        actions.NewTicket(
            requester=customer(),
            mailbox=mailbox(),
            subject="Help",
            content=Content(text="x"),
            via="email",
            actor=None,
            at=at,
            **fields,
        )
    )
    return ticket


def again(ticket: Ticket) -> Ticket:
    return Ticket.objects.select_related(
        "requester", "assignee", "mailbox", "team", "sla_policy__calendar"
    ).get(pk=ticket.pk)


# --- Due times


def slow_reached(
    hours_text: BusinessCalendar, periods: list[stretches.Period], minutes: int, horizon: int
) -> datetime | None:
    """Minute by minute: the reference that nobody can get wrong."""
    zone, closed = ZoneInfo(hours_text.zone), set(closed_days(hours_text.closures))
    weekly = hours_of(hours_text).weekly
    at, left = periods[0][0], minutes
    for _ in range(horizon):
        running = any(start <= at and (end is None or at < end) for start, end in periods)
        local = at.astimezone(zone)
        now = local.hour * 60 + local.minute
        yesterday = local.date() - timedelta(days=1)
        is_open = any(
            start <= now < end
            for start, end in weekly[local.weekday()]
            if local.date() not in closed
        ) or any(
            start <= now + 1440 < end
            for start, end in weekly[yesterday.weekday()]
            if yesterday not in closed
        )
        if running and is_open:
            left -= 1
            if left == 0:
                return at + MINUTE
        at += MINUTE
    return None


@pytest.mark.parametrize("seed", range(40))
def test_due_times_agree_with_the_minute_by_minute_reference(seed: int) -> None:
    chance = random.Random(seed)
    found = BusinessCalendar(
        zone=chance.choice(
            ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]
        ),
        weekly=chance.choice(
            [
                "mon-fri 09:00-17:00",
                "mon-fri 08:30-12:00, 13:00-17:30; sat 10:00-14:00",
                "always",
                "fri 22:00-06:00; sun-wed 20:00-03:15",
            ]
        ),
        closures=chance.choice(["", "2024-02-29 Leap day\n2024-03-29 Good Friday", "2024-11-01"]),
    )
    around = [
        datetime(2024, 2, 28, 8, tzinfo=UTC),
        datetime(2024, 3, 8, 20, tzinfo=UTC),
        datetime(2024, 3, 29, 7, tzinfo=UTC),
        datetime(2024, 10, 25, 12, tzinfo=UTC),
        datetime(2024, 11, 1, 6, tzinfo=UTC),
    ]
    at = chance.choice(around) + MINUTE * chance.randrange(600)
    periods: list[stretches.Period] = []
    for _ in range(chance.randrange(4)):
        until = at + MINUTE * chance.randrange(1, 700)
        periods.append((at, until))
        at = until + MINUTE * chance.randrange(1, 2000)
    periods.append((at, None))
    amount = chance.choice([1, 15, 60, 241, 480, 900])
    assert stretches.reached(hours_of(found), periods, MINUTE * amount) == slow_reached(
        found, periods, amount, 30000
    )


def test_clocks_start_when_the_mail_was_received_and_only_a_persons_public_answer_meets_a_target() -> (
    None
):
    policy()
    ticket = opened(10)
    assert ticket.first_response_due == ticket.created_at + 60 * MINUTE
    assert ticket.resolution_due == ticket.created_at + 600 * MINUTE
    actions.note(ticket, Content(text="hm"), actor=agent())
    actions.set_priority(ticket, 3, actor=agent())
    assert SLAClock.objects.get(target="first_response").met_at is None
    actions.reply(ticket, Content(text="hello"), actor=agent())
    first = SLAClock.objects.get(target="first_response")
    assert first.met_at is not None
    ticket = again(ticket)
    assert ticket.first_responded_at == first.met_at
    assert ticket.sla_due_at == ticket.resolution_due
    assert not ticket.is_breached


def test_each_unanswered_comment_starts_a_next_response_once() -> None:
    policy()
    ticket = opened(100)
    actions.customer_comment(ticket, ticket.requester, Content(text="hello?"), via="email")
    assert again(ticket).next_response_due is None  # the first answer is still owed
    actions.reply(ticket, Content(text="hi"), actor=agent())
    earlier = timezone.now() - 20 * MINUTE
    actions.customer_comment(
        ticket, ticket.requester, Content(text="and?", created_at=earlier), via="email"
    )
    actions.customer_comment(ticket, ticket.requester, Content(text="please"), via="email")
    assert again(ticket).next_response_due == earlier + 30 * MINUTE
    actions.customer_comment(
        ticket, ticket.requester, Content(text="away", is_automatic=True), via="email"
    )
    actions.reply(again(ticket), Content(text="yes"), actor=agent())
    assert SLAClock.objects.get(target="next_response").met_at is not None


def test_the_clock_stands_still_while_pending_and_goes_on_after() -> None:
    policy()
    ticket = opened(30)
    actions.assign(ticket, agent(), actor=agent())
    actions.set_status(ticket, "pending", actor=agent())
    ticket = again(ticket)
    assert (ticket.first_response_due, ticket.sla_due_at, ticket.sla_check_at) == (None, None, None)
    for row in SLAClock.objects.all():  # it became pending twenty minutes ago
        (start, _end), *_ = stretches.read(row.periods)
        row.periods = stretches.write([(start, timezone.now() - 20 * MINUTE)])
        row.save()
    actions.set_status(ticket, "assigned", actor=agent())
    due = again(ticket).first_response_due
    assert due is not None
    assert abs(due - (timezone.now() + 50 * MINUTE)) < timedelta(seconds=5)
    assert "stood still from" in lines(again(ticket))[0].why


def test_resolving_meets_the_resolution_and_reopening_takes_it_back() -> None:
    policy()
    ticket = opened(5)
    actions.reply(ticket, Content(text="done"), actor=agent())
    actions.set_status(ticket, "resolved", actor=agent())
    row = SLAClock.objects.get(target="resolution")
    assert row.met_at is not None
    ticket = again(ticket)
    assert ticket.sla_due_at is None
    assert ticket.resolution_due is not None
    actions.customer_comment(ticket, ticket.requester, Content(text="not at all"), via="email")
    row.refresh_from_db()
    assert row.met_at is None
    assert stretches.is_running(stretches.read(row.periods))
    assert again(ticket).next_response_due is not None


def test_another_priority_team_or_category_counts_by_its_policy_and_the_first_that_fits_holds() -> (
    None
):
    team, topic = Team.objects.create(name="Second line"), Category.objects.create(name="Billing")
    policy(name="vip", position=1, customer="@example.net", priority=4, first_response=10)
    policy(name="billing", position=2, category=topic, first_response=20)
    policy(name="second", position=3, team=team, first_response=30)
    policy(name="all", position=9, first_response=60)
    ticket = opened(5)
    for change, minutes in (
        (lambda: actions.set_team(ticket, team, actor=None), 30),
        (lambda: actions.set_category(ticket, topic, actor=None), 20),
        (lambda: actions.set_priority(ticket, 4, actor=None), 10),
        (lambda: actions.set_priority(ticket, 1, actor=None), 20),
    ):
        change()
        assert again(ticket).first_response_due == ticket.created_at + minutes * MINUTE


def test_spam_owes_nothing_and_a_mail_that_is_none_gets_an_answer_time_in_its_acknowledgement() -> (
    None
):
    policy()
    ticket = ticket_of(receive(eml("x", message_id="a@b")))
    assert "will answer you by" in OutboundMail.objects.get(kind="acknowledgement").text
    actions.mark_spam(ticket, actor=agent())
    assert again(ticket).sla_check_at is None
    assert not SLAClock.objects.exists()


def test_an_answer_that_is_taken_back_met_nothing(settings) -> None:
    settings.UNDO_SEND_SECONDS = 30
    policy()
    ticket = opened(5)
    before = ticket.first_response_due
    comment = actions.reply(ticket, Content(text="oops"), actor=agent())
    actions.take_back(comment, actor=agent())
    ticket = again(ticket)
    assert (ticket.first_response_due, ticket.first_responded_at) == (before, None)
    assert SLAClock.objects.get(target="first_response").met_at is None


def test_a_bad_calendar_is_refused_by_field() -> None:
    from django.core.exceptions import ValidationError

    for field, value in (
        ("zone", "Mars/Base"),
        ("weekly", "mon 17:00-9"),
        ("closures", "tomorrow"),
        ("country", "XX"),
    ):
        with pytest.raises(ValidationError) as caught:
            BusinessCalendar(**{"name": "x", "weekly": "always", field: value}).full_clean()
        assert field in caught.value.message_dict


def test_public_holidays_are_closed() -> None:
    found = hours_of(calendar(zone="Europe/Berlin", country="DE", weekly="always"))
    year = timezone.now().year
    assert datetime(year, 10, 3).date() in found.holidays  # noqa: DTZ001
    assert found != ALWAYS


# --- Alerts


def test_a_warning_a_breach_and_the_escalation_steps_each_exactly_once() -> None:
    lead, ada = agent("Lena"), agent("Ada")
    team = Team.objects.create(name="First line", lead=lead)
    mailbox().teams.add(team)
    found = policy(resolution=None, next_response=None)
    SLAStep.objects.create(policy=found, after=30, tell_lead=True, raise_priority=True)
    ticket = opened(50)
    actions.assign(ticket, ada, actor=ada)
    for _ in range(3):
        escalation.sweep()
    assert list(
        OutboundMail.objects.filter(kind="sla_warning").values_list("person", flat=True)
    ) == [ada.pk]
    assert not again(ticket).is_breached

    def back(minutes: int) -> None:
        """As if it had been opened so much earlier."""
        for row in SLAClock.objects.all():
            row.periods = stretches.write(
                [(s - minutes * MINUTE, e) for s, e in stretches.read(row.periods)]
            )
            row.save()
        Ticket.objects.update(sla_check_at=timezone.now())

    back(15)
    for _ in range(3):
        escalation.sweep()
    assert again(ticket).is_breached
    assert OutboundMail.objects.filter(kind="sla_breach").count() == 1
    assert OutboundMail.objects.get(kind="sla_breach").person == ada
    back(30)
    for _ in range(3):
        escalation.sweep()
    assert again(ticket).priority == 3
    # `back` moved the due time, so the breach is told for that one too; the step comes on top.
    assert OutboundMail.objects.filter(kind="sla_breach", person=lead).count() == 1
    kinds = list(
        Event.objects.filter(ticket=ticket, kind__startswith="sla-").values_list("kind", flat=True)
    )
    assert kinds.count("sla-escalation") == 1
    assert again(ticket).sla_check_at is None


def test_who_was_down_over_the_warning_tells_of_the_breach_alone_and_an_unassigned_one_goes_to_the_admins() -> (
    None
):
    root = Person.objects.create_superuser("root@example.com")
    policy(next_response=None, resolution=None)
    ticket = opened(120)
    escalation.sweep()
    assert list(
        OutboundMail.objects.filter(kind__startswith="sla").values_list("kind", "person")
    ) == [("sla_breach", root.pk)]
    assert SLAAlert.objects.count() == 2
    assert again(ticket).is_breached


def test_a_crash_between_the_steps_leaves_nothing_half_told(monkeypatch) -> None:
    from helpdesk.outbound import notify

    Person.objects.create_superuser("root@example.com")
    policy(next_response=None, resolution=None)
    opened(120)
    whole = notify.sla_breach

    def dies(*args: object) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(notify, "sla_breach", dies)
    with pytest.raises(RuntimeError):
        escalation.sweep()
    assert not SLAAlert.objects.exists()
    monkeypatch.setattr(notify, "sla_breach", whole)
    escalation.sweep()
    assert OutboundMail.objects.filter(kind="sla_breach").count() == 1


def test_the_sweep_asks_as_much_however_many_tickets_there_are() -> None:
    policy()
    ticket = opened(1)

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            escalation.sweep()
        return len(seen)

    few = queries()
    Ticket.objects.bulk_create(
        Ticket(
            subject="x",
            requester=ticket.requester,
            mailbox=ticket.mailbox,
            sla_check_at=timezone.now() + timedelta(hours=1),
            sla_due_at=timezone.now() + timedelta(hours=1),
        )
        for _ in range(2000)
    )
    assert queries() == few == 1


def test_a_changed_policy_reaches_the_tickets_that_are_there(client) -> None:
    found = policy()
    ticket = opened(5)
    client.force_login(Person.objects.create_superuser("root@example.com"))
    form = {
        "name": "new",
        "position": "1",
        "is_active": "on",
        "calendar": str(found.calendar_id),
        "first_response": "15",
        "warn_at": "80",
        "steps-TOTAL_FORMS": "0",
        "steps-INITIAL_FORMS": "0",
        "customer": "",
    }
    answer = client.post(f"/admin/helpdesk/slapolicy/{found.pk}/change/", form)
    assert answer.status_code == 302, answer.content.decode()[:3000]
    escalation.sweep()
    assert again(ticket).first_response_due == ticket.created_at + 15 * MINUTE


def test_the_ticket_shows_its_due_times_and_the_queue_what_is_late(client) -> None:
    policy(name="Gold")
    ticket = opened(120)
    escalation.sweep()
    client.force_login(agent())
    page = client.get(f"/admin/tickets/{ticket.pk}/").content.decode()
    assert "by the policy “Gold”" in page
    assert "was missed" in page  # the history
    assert f"#{ticket.pk}" in client.get("/admin/tickets/?queue=breached").content.decode()
    assert Comment.objects.count() == 1
