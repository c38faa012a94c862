"""Of the tickets that a mail could belong to, which one it goes to, and what is noted of that."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from helpdesk import actions
from helpdesk.actions import Content
from helpdesk.models import (
    Comment,
    OutboundMail,
    Participant,
    Person,
    ProvenDay,
    Team,
    Ticket,
)
from inbound.addresses import reply_address
from inbound.models import Mailbox
from tests.support.mail import SUPPORT, agent, eml, receive, ticket_of
from tests.support.zone import Zone, only

pytestmark = pytest.mark.django_db

CLEO = "cleo@nordwind.example"
EVIL = {"client": "198.41.0.4 (mx.evil.example)", "mail_from": "m@evil.example"}
FORGED = "by the rules of nordwind.example (DMARC) this mail is not from there"


@pytest.fixture(autouse=True)
def zone() -> Iterator[Zone]:
    """Nordwind publishes nothing yet."""
    with only(Zone()) as dns:
        yield dns


@pytest.fixture
def strict(zone: Zone) -> None:
    zone.domain("nordwind.example", spf="v=spf1 ip4:199.7.91.0/24 -all")


def mail(number: int, text: str = "Hello", **headers: str) -> bytes:
    return eml(text, sender=f"Cleo <{CLEO}>", message_id=f"m{number}@nordwind", **headers)


def usually_proven() -> None:
    for days in (1, 2, 3):
        day = timezone.now().date() - timedelta(days=days)
        ProvenDay.objects.create(address=CLEO, day=day)


# --- Several tickets


def test_why_a_nearer_ticket_would_not_have_it_is_noted_where_another_one_takes_it() -> None:
    nearer, other = (ticket_of(receive(mail(number))) for number in (1, 2))
    comment = actions.reply(other, Content(text="We look into it."), actor=agent())
    told = OutboundMail.objects.get(comment=comment, person=other.requester)
    usually_proven()
    row = receive(
        mail(3, in_reply_to="<m1@nordwind>", references=f"<{told.message_id}> <m1@nordwind>"),
        **EVIL,
    )
    assert (row.reason, row.ticket_number) == ("comment", other.pk)
    assert "usually proven" in str(row.would_hold)
    assert [found["ticket"] for found in row.evidence["candidates"]] == [nearer.pk]


@pytest.mark.parametrize("turn", [1, -1])
def test_a_strangers_mail_about_two_tickets_is_held_in_the_nearer_one(turn: int) -> None:
    tickets = [ticket_of(receive(mail(number))) for number in (1, 2)][::turn]
    near, far = (1, 2)[::turn]
    raw = eml(
        "Me too",
        sender="eve@example.org",
        message_id="e@x",
        in_reply_to=f"<m{near}@nordwind>",
        references=f"<m{far}@nordwind> <m{near}@nordwind>",
    )
    row = receive(raw, mail_from="eve@example.org")
    assert (row.reason, row.ticket_number) == ("hold", tickets[0].pk)
    assert [found["ticket"] for found in row.evidence["candidates"]] == [
        ticket.pk for ticket in tickets
    ]


# --- What the policy would have done


def test_a_first_mail_whose_ticket_is_marked_is_not_noted_as_one_that_got_by(strict: None) -> None:
    row = receive(mail(1), **EVIL)
    assert (row.reason, row.would_hold) == ("open", None)
    assert not OutboundMail.objects.exists()


def test_where_the_policy_only_looks_on_a_first_mail_is_noted(strict: None) -> None:
    receive(eml("Hello", sender="dan@example.org"))  # the mailbox is there
    Mailbox.objects.update(sender_policy="log")
    assert receive(mail(1), **EVIL).would_hold == FORGED


def test_where_the_policy_only_looks_on_a_mail_to_a_closed_ticket_is_noted(strict: None) -> None:
    ticket = ticket_of(receive(mail(1)))
    Ticket.objects.update(status="closed")
    Mailbox.objects.update(sender_policy="log", on_closed=Mailbox.OnClosed.FOLLOW_UP)
    row = receive(mail(2, in_reply_to="<m1@nordwind>"), **EVIL)
    assert (row.reason, row.would_hold) == ("open", FORGED)
    assert row.ticket_number != ticket.pk


# --- Agents, and machines


def test_an_agent_of_another_team_reads_that_they_do_not_see_the_ticket(zone, settings) -> None:
    settings.AGENTS_SEE = "teams"
    zone.txt("example.com", "v=spf1 ip4:199.7.91.77 -all")
    zone.txt("_dmarc.example.com", "v=DMARC1; p=reject")
    ada = agent()
    ticket = ticket_of(receive(mail(1)))
    Ticket.objects.filter(pk=ticket.pk).update(team=Team.objects.create(name="Other"))
    row = receive(
        eml("It is on its way.", sender="Ada <ada@example.com>", message_id="a@example.com"),
        rcpt=reply_address(SUPPORT, ticket.pk, ada.pk),
        client="199.7.91.77 (mx.example.com)",
        mail_from="ada@example.com",
    )
    assert (row.reason, (row.proof or {})["verdict"]) == ("hold", "authenticated")
    held = Comment.objects.get(mail=row)
    assert (held.visibility, held.held_reason) == (
        "held",
        "an agent's mail, who does not see this ticket",
    )
    assert not OutboundMail.objects.filter(kind="reply").exists()


@pytest.mark.parametrize("headers", [{}, {"in_reply_to": "<lost@x>"}])
def test_a_machines_answer_to_nothing_lies_in_to_look_at_and_nobody_is_written_to(
    headers: dict[str, str],
) -> None:
    row = receive(mail(1, "I am away.", auto_submitted="auto-replied", **headers))
    assert (row.state, row.reason, row.to_look_at) == ("quarantined", "auto-reply", "automatic")
    for model in (Ticket, Person, Participant, OutboundMail):
        assert not model.objects.exists(), model
