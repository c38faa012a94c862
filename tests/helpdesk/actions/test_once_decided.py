"""Smaller promises."""

from email.message import EmailMessage

import pytest

from helpdesk import access, actions
from helpdesk.actions import Refused, codes, pins
from helpdesk.models import Comment, EmailCode, OutboundMail
from helpdesk.outbound import spending
from tests.support.api import a_ticket
from tests.support.mail import SUPPORT, agent, customer, eml, mailbox, receive, ticket_of

pytestmark = pytest.mark.django_db
CLEO = "cleo@example.net"


def test_what_is_not_held_any_more_is_let_in_by_nobody_again() -> None:
    """Or a note would become public, and an answer would go out twice."""
    ticket = ticket_of(receive(eml("Hello")))
    note = actions.note(ticket, actions.Content(text="Not for the customer"), actor=agent())
    for comment in (note, ticket.comments.order_by("pk")[0]):
        with pytest.raises(Refused):
            actions.admit(comment, actor=agent(), as_participant=False)
    note.refresh_from_db()
    assert note.visibility == Comment.Visibility.INTERNAL


def test_a_mail_with_two_mails_attached_is_nobodys_forward(settings) -> None:
    from tests.support.zone import Zone, only

    mailbox()
    agent()
    outer = EmailMessage()
    outer["From"], outer["To"], outer["Subject"] = "ada@example.com", SUPPORT, "Two"
    outer.set_content("See both")
    for name in ("dan", "eve"):
        inner = EmailMessage()
        inner["From"], inner["Subject"] = f"{name}@other.example", name
        inner.set_content(name)
        outer.add_attachment(inner)
    dns = Zone().domain("example.com", spf="v=spf1 ip4:199.7.91.77 -all")
    with only(dns):
        row = receive(
            outer.as_bytes(), client="199.7.91.77 (mx.example.com)", mail_from="ada@example.com"
        )
    assert ticket_of(row).requester.email == "ada@example.com"


def test_a_long_code_that_is_quoted_as_it_was_written_is_used_up() -> None:
    customer()
    mailbox()
    for _ in range(codes.SHORT_AN_HOUR + 1):
        codes.send_code(EmailCode.Purpose.SIGN_IN, CLEO, asker="cleo", client="192.0.2.1")
    from tests.support.api import last_secret

    shown = last_secret(r"^ +(\d{5} \d{5} \d{5})$")
    spending.spend_code(CLEO, f"> {shown}\n")
    with pytest.raises(Refused):
        codes.take_code(EmailCode.Purpose.SIGN_IN, CLEO, shown, asker="cleo")


def test_whoever_a_pin_let_in_sees_nothing_where_its_issuer_is_gone(settings) -> None:
    settings.AGENTS_SEE = "teams"
    ticket = a_ticket()
    ada = agent()
    cleo = pins.take_pin(pins.issue_pin(customer(), actor=ada), client="192.0.2.1")
    assert access.tickets(cleo).contains(ticket)
    assert cleo.let_in_by is not None
    cleo.let_in_by.issued_by = None
    assert not access.tickets(cleo).exists()
    assert OutboundMail.objects.filter(kind="pin_used").exists()
