"""Nobody speaks for another: what becomes of mail by mail, further cases."""

from collections.abc import Iterator

import pytest

from helpdesk import actions
from helpdesk.actions import Content, Refused
from helpdesk.models import Comment, Event, OutboundMail, Person, ProvenDay, Ticket, TrustedWay
from inbound.addresses import reply_address
from tests.support.mail import SUPPORT, agent, eml, mailbox, receive, ticket_of
from tests.support.zone import Zone, only, signed

pytestmark = pytest.mark.django_db

CLEO, DOMAIN = "cleo@nordwind.example", "nordwind.example"
EVIL = {"client": "198.41.0.4 (mx.evil.example)", "mail_from": "m@evil.example"}
OWN = {"client": "199.7.91.13 (mx.nordwind.example)", "mail_from": CLEO}
ADAS = {"client": "199.7.91.77 (mx.example.com)", "mail_from": "ada@example.com"}


@pytest.fixture(autouse=True)
def zone() -> Iterator[Zone]:
    dns = (
        Zone()
        .domain(DOMAIN, spf="v=spf1 ip4:199.7.91.0/24 -all")
        .domain("example.com", spf="v=spf1 ip4:199.7.91.77 -all")
    )
    with only(dns):
        yield dns


@pytest.fixture
def ada() -> Person:
    return agent()


def mail(
    text: str = "Hello", *, number: int = 1, sender: str = f"Cleo <{CLEO}>", **headers: str
) -> bytes:
    return eml(text, sender=sender, message_id=f"m{number}@{DOMAIN}", **headers)


def from_ada(text: str, number: int = 50, **headers: str) -> bytes:
    return eml(text, sender="Ada <ada@example.com>", message_id=f"a{number}@example.com", **headers)


def opened() -> Ticket:
    return ticket_of(receive(mail(), **OWN))


def held_in_adas_name(ticket: Ticket, ada: Person) -> Comment:
    row = receive(
        from_ada("Your contract is cancelled"),
        rcpt=reply_address(SUPPORT, ticket.pk, ada.pk),
        **EVIL,
    )
    return Comment.objects.get(mail=row, visibility="held")


def test_a_first_mail_that_comes_a_trusted_way_is_acknowledged_though_its_domain_speaks_against_it(
    zone, ada
) -> None:
    zone.domain("crm.example")
    mailbox()
    TrustedWay.objects.create(address=CLEO, way="signed by crm.example", trusted_by=ada)
    row = receive(signed(mail("x", number=2, cc="dan@other.example"), "crm.example"), **EVIL)
    assert (row.reason, (row.proof or {})["verdict"]) == ("open", "failed")
    assert OutboundMail.objects.filter(ticket=row.ticket_number, kind="acknowledgement").exists()
    assert ticket_of(row).participants.count() == 2
    # For nobody else of that domain.
    row = receive(signed(mail("x", number=3, sender=f"dan@{DOMAIN}"), "crm.example"), **EVIL)
    assert not OutboundMail.objects.filter(ticket=row.ticket_number).exists()


@pytest.mark.parametrize("inside", [SUPPORT, "support+r2345@example.com"])
def test_our_own_mail_that_an_agent_forwards_opens_no_ticket_in_our_name(ada, inside) -> None:
    mailbox()
    text = f"Look.\n\n-----Original Message-----\nFrom: Support <{inside}>\nSent: Monday\nTo: Dan\nSubject: Lamp\n\nIt is on its way."
    ticket = ticket_of(receive(from_ada(text, subject="FW: Lamp"), **ADAS))
    assert ticket.requester == ada
    assert not Person.objects.filter(email__startswith="support").exists()


def test_a_proven_form_that_names_her_makes_no_day_of_hers_a_proven_one(zone) -> None:
    """Or a stranger's own domain could make her habit, and her unproven mail would be held."""
    zone.domain("evil.example")
    raw = eml("x", sender="no-reply@evil.example", reply_to=CLEO, message_id="f1@evil.example")
    row = receive(signed(raw, "evil.example"), **EVIL)
    assert (row.proof or {})["verdict"] == "authenticated"
    assert ticket_of(row).requester.email == CLEO
    assert not ProvenDay.objects.filter(address=CLEO).exists()


def test_mail_in_an_agents_name_is_not_trusted_by_the_way_it_comes(zone, ada) -> None:
    zone.domain("evil.example")
    ticket = opened()
    raw = signed(from_ada("Your contract is cancelled"), "evil.example")
    row = receive(raw, rcpt=reply_address(SUPPORT, ticket.pk, ada.pk), **EVIL)
    held = Comment.objects.get(mail=row, visibility="held")
    assert "signed by evil.example" in (row.proof or {})["ways"]
    with pytest.raises(Refused):
        actions.admit(
            held, actor=agent("Bea"), as_participant=False, trusting="signed by evil.example"
        )
    held.refresh_from_db()
    assert (held.visibility, TrustedWay.objects.count()) == ("held", 0)


def test_an_agents_held_mail_that_a_colleague_lets_in_is_the_agents_answer_and_says_who_let_it_in(
    ada,
) -> None:
    ticket, bea = opened(), agent("Bea")
    held = held_in_adas_name(ticket, ada)
    actions.admit(held, actor=bea, as_participant=False)
    assert Event.objects.get(ticket=ticket, kind="replied").actor == ada
    assert Event.objects.get(ticket=ticket, kind="admitted").actor == bea
    assert OutboundMail.objects.filter(ticket=ticket, kind="reply", to_address=CLEO).exists()


def test_what_a_colleague_has_let_in_is_not_taken_back(ada, settings) -> None:
    """It is a mail, and no words of a reply box: it would be gone."""
    settings.UNDO_SEND_SECONDS = 60
    ticket = opened()
    held = held_in_adas_name(ticket, ada)
    actions.admit(held, actor=agent("Bea"), as_participant=False)
    held.refresh_from_db()
    with pytest.raises(Refused):
        actions.take_back(held, actor=ada)
    assert Comment.objects.filter(pk=held.pk).exists()
    # What they have written in their mail program and sent themselves is.
    row = receive(from_ada("Hi", 51), rcpt=reply_address(SUPPORT, ticket.pk, ada.pk), **ADAS)
    assert actions.take_back(Comment.objects.get(mail=row), actor=ada)[0] == "Hi"


def test_an_agents_answer_goes_out_once_however_it_comes_back(ada) -> None:
    ticket = opened()
    actions.reply(ticket, Content(text="One"), actor=ada)
    assert OutboundMail.objects.filter(kind="reply", to_address=CLEO).count() == 1
