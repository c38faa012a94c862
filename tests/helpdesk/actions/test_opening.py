"""A new ticket: what each thing that it begins with becomes."""

from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from django.utils import timezone

from helpdesk import actions
from helpdesk.actions import Content, NewTicket
from helpdesk.models import (
    Assignment,
    Category,
    Comment,
    Event,
    OutboundMail,
    Participant,
    Person,
    PersonAddress,
    Team,
    Ticket,
)
from helpdesk.participants import readers
from inbound.models import Mailbox
from tasks import ring
from tests.helpdesk.sla.test_sla import policy
from tests.support.mail import agent, arrive, customer, eml, mailbox

pytestmark = pytest.mark.django_db


def opened(**fields: Any) -> tuple[Ticket, Comment]:
    """As they are in the database."""
    usual = {
        "requester": customer(),
        "mailbox": mailbox(),
        "subject": "Help",
        "content": Content(text="It smokes"),
        "via": "email",
        "actor": None,
    }
    ticket, comment = actions.open_ticket(NewTicket(**{**usual, **fields}))
    return Ticket.objects.get(pk=ticket.pk), Comment.objects.get(pk=comment.pk)


def said(ticket: Ticket) -> list[tuple[str, Person | None, dict[str, Any]]]:
    rows = Event.objects.filter(ticket=ticket).select_related("actor").order_by("pk")
    return [(row.kind, row.actor, row.data) for row in rows]


@pytest.fixture
def rung(settings, monkeypatch) -> list[tuple[str, int]]:
    """What a worker was told of."""
    settings.CAN_RING = True
    monkeypatch.setattr(ring, "_silent_until", 0.0)
    found: list[tuple[str, int]] = []
    monkeypatch.setattr(
        current_app, "send_task", lambda task, args, **_: found.append((task, *args))
    )
    return found


def test_without_anything_further_it_is_an_open_ticket_of_normal_priority_that_waits() -> None:
    ticket, comment = opened()
    assert (ticket.status, ticket.priority, ticket.version) == ("open", Ticket.Priority.NORMAL, 1)
    assert (ticket.team, ticket.category, ticket.follows, ticket.guest_name) == (None,) * 4
    assert (ticket.requester, ticket.mailbox, ticket.subject) == (customer(), mailbox(), "Help")
    assert ticket.customer_waits_since == ticket.created_at == ticket.activity_at
    assert timezone.now() - ticket.created_at < timedelta(minutes=1)
    assert (comment.author, comment.visibility, comment.via) == (customer(), "public", "email")
    assert (comment.text, comment.asks_to_add) == ("It smokes", [])
    assert not Assignment.objects.exists()


@pytest.mark.parametrize(
    ("given", "kept"),
    [("  Fire\n", "Fire"), (" ", "(no subject)"), ("x" * 501, "x" * 500)],
    ids=["blanks around it", "blank", "too long"],
)
def test_its_subject_has_no_blanks_around_it_and_is_never_empty(given: str, kept: str) -> None:
    assert opened(subject=given)[0].subject == kept


# --- Who takes part


def test_who_is_in_cc_takes_part_but_staff_do_not_and_the_requester_is_one_participant() -> None:
    cleo, dora = customer(), customer("dora@example.net", "Dora")
    boss = Person.objects.create_superuser("root@example.com")
    ticket, _ = opened(requester=cleo, cc=[agent("Ada"), dora, cleo, boss, dora])
    rows = Participant.objects.filter(ticket=ticket).order_by("pk")
    assert list(rows.values_list("person", "role", "source")) == [
        (cleo.pk, "requester", "requester"),
        (dora.pk, "cc", "first mail"),
    ]


def test_answers_go_to_the_address_that_the_requester_wrote_from() -> None:
    cleo = customer()
    PersonAddress.objects.create(person=cleo, address="cleo@work.example")
    from_main, _ = opened(address="cleo@example.net")
    from_other, _ = opened(address="cleo@work.example")
    unknown, _ = opened()
    kept = [Participant.objects.get(ticket=one).address for one in (from_main, from_other, unknown)]
    assert kept == ["", "cleo@work.example", ""]
    assert [row.reply_to for row in readers(from_other)] == ["cleo@work.example"]
    assert [row.reply_to for row in readers(from_main)] == ["cleo@example.net"]


def test_who_waits_to_be_let_in_stands_on_the_comment_and_takes_no_part() -> None:
    ticket, comment = opened(asks_to_add=[("Dora", "dora@example.net"), ("", "eve@example.net")])
    assert comment.asks_to_add == [["Dora", "dora@example.net"], ["", "eve@example.net"]]
    assert [row.person for row in Participant.objects.filter(ticket=ticket)] == [customer()]


def test_what_a_guest_typed_as_a_name_stands_on_the_ticket_alone() -> None:
    ticket, _ = opened(guest_name="Somebody")
    assert ticket.guest_name == "Somebody"
    assert Person.objects.get(pk=ticket.requester_id).name == "Cleo"


def test_an_answer_is_the_actors_or_where_nobody_is_named_the_mailboxs_own() -> None:
    ada = agent()
    assert opened(actor=ada, is_answer=True)[1].author == ada
    assert opened(actor=None, is_answer=True)[1].author is None
    assert opened(actor=ada)[1].author == customer()


# --- Whose it is, and how urgent


def test_its_priority_is_the_one_given() -> None:
    assert opened(priority=Ticket.Priority.URGENT)[0].priority == Ticket.Priority.URGENT


def test_its_team_is_the_categorys_else_the_first_of_the_mailbox() -> None:
    by_topic, first, second = (
        Team.objects.create(name=name) for name in ("Billing", "Zebra", "Apes")
    )
    with_team = Category.objects.create(name="Invoices", team=by_topic)
    without = Category.objects.create(name="Other")
    mailbox().teams.set([second, first])
    elsewhere = mailbox("sales@example.com")
    assert [
        (ticket.team, ticket.category)
        for ticket, _ in (
            opened(category=with_team),
            opened(category=without),
            opened(),
            opened(mailbox=elsewhere),
            opened(mailbox=elsewhere, category=with_team),
        )
    ] == [
        (by_topic, with_team),
        (first, without),
        (first, None),
        (None, None),
        (by_topic, with_team),
    ]


def test_the_team_holds_it_from_when_it_was_received() -> None:
    team = Team.objects.create(name="First line")
    mailbox().teams.add(team)
    at = timezone.now() - timedelta(hours=3)
    ticket, _ = opened(at=at)
    row = Assignment.objects.get(ticket=ticket)
    assert (row.team, row.person, row.started_at, row.is_active) == (team, None, at, True)


@pytest.mark.parametrize("strategy", [s for s in Team.Strategy.values if s != "manual"])
def test_a_team_that_shares_out_is_rung_for_once_the_ticket_is_there(
    strategy: str, rung: list[tuple[str, int]], django_capture_on_commit_callbacks
) -> None:
    mailbox().teams.add(Team.objects.create(name="First line", strategy=strategy))
    with django_capture_on_commit_callbacks() as at_the_end:
        ticket, _ = opened(acknowledge=False)
    assert rung == []
    for call in at_the_end:
        call()
    assert rung == [("tasks.sla.route", ticket.pk)]


def test_nobody_is_rung_for_where_there_is_nothing_to_share_out(
    rung: list[tuple[str, int]], django_capture_on_commit_callbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        opened(acknowledge=False)
        mailbox().teams.add(Team.objects.create(name="By hand", strategy="manual"))
        opened(acknowledge=False)
        mailbox().teams.set([Team.objects.create(name="In turn", strategy="round-robin")])
        opened(acknowledge=False, is_history=True)
    assert rung == []


# --- When, by what way, after what


def test_it_begins_when_it_was_received() -> None:
    policy(first_response=60, next_response=None, resolution=None)
    at = timezone.now() - timedelta(days=2)
    ticket, _ = opened(at=at)
    assert (ticket.created_at, ticket.activity_at, ticket.customer_waits_since) == (at, at, at)
    assert ticket.first_response_due == at + timedelta(minutes=60)


def test_the_history_says_who_opened_it_and_by_what_way() -> None:
    ada = agent()
    for via in Comment.Via.values:
        ticket, comment = opened(via=via, actor=ada)
        assert said(ticket) == [("opened", ada, {"via": via})]
        assert comment.via == via
    assert said(opened()[0]) == [("opened", None, {"via": "email"})]


def test_one_that_continues_another_says_so_on_both() -> None:
    ada = agent()
    before, _ = opened()
    after, _ = opened(follows=before, actor=ada)
    assert after.follows == before
    assert said(after) == [("opened", ada, {"via": "email", "follows": before.pk})]
    assert said(before)[1:] == [("followed-up", ada, {"by": after.pk})]


def test_a_number_that_was_reserved_is_its_own() -> None:
    assert opened(number=4711)[0].pk == 4711


# --- The acknowledgement


def acknowledged(**fields: Any) -> list[str]:
    ticket, _ = opened(**fields)
    rows = OutboundMail.objects.filter(ticket=ticket)
    assert set(rows.values_list("kind", "to_address")) <= {("acknowledgement", "cleo@example.net")}
    return list(rows.values_list("text", flat=True))


def test_the_customer_is_told_unless_the_mailbox_or_the_caller_wants_it_otherwise() -> None:
    assert len(acknowledged()) == 1
    assert acknowledged(acknowledge=False) == []
    assert acknowledged(content=Content(text="away", is_automatic=True)) == []
    Mailbox.objects.update(send_acknowledgement=False)
    assert acknowledged(mailbox=mailbox()) == []


def test_it_repeats_what_a_mail_said_unless_the_caller_wants_it_otherwise() -> None:
    mails = [arrive(eml("x", message_id=f"{number}@x")) for number in range(2)]
    (with_it,) = acknowledged(content=Content(text="It smokes", mail=mails[0]))
    (without,) = acknowledged(content=Content(text="It smokes", mail=mails[1]), quote=False)
    assert ("It smokes" in with_it, "It smokes" in without) == (True, False)


# --- From an archive


def test_one_from_an_archive_is_over_and_done_with() -> None:
    policy()
    before, _ = opened(acknowledge=False)
    at = timezone.now() - timedelta(days=900)
    ticket, _ = opened(is_history=True, at=at, follows=before)
    assert (ticket.status, ticket.created_at, ticket.closed_at) == ("closed", at, at)
    assert (ticket.customer_waits_since, ticket.sla_check_at) == (None, None)
    assert not ticket.clocks.exists()
    assert said(ticket) == [("opened", None, {"via": "archive"})]
    assert not OutboundMail.objects.exists()
