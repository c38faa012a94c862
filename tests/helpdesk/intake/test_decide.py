"""Of several rules that a mail falls under, which one says what is done with it."""

import pytest

from helpdesk import actions
from helpdesk.actions import Content
from helpdesk.models import BlockedSender, OutboundMail, Ticket
from inbound import queue
from inbound.addresses import bounce_address
from inbound.models import InboundMail
from tasks.inbound import process
from tests.inbound.reading.test_classify import DSN
from tests.support.mail import SUPPORT, agent, delivered, eml, receive, ticket_of

pytestmark = pytest.mark.django_db


def answered() -> OutboundMail:
    ticket = ticket_of(receive(eml("Hello", message_id="first@x")))
    comment = actions.reply(ticket, Content(text="We look into it."), actor=agent())
    return OutboundMail.objects.get(comment=comment)


def let_through(row: InboundMail) -> str:
    """An agent looked at it, and let it in all the same: what became of it."""
    queue.requeue([row], force=True)
    process(row.pk)
    row.refresh_from_db()
    assert row.state == "done"
    return row.reason


def test_our_own_mail_is_a_loop_also_where_somebody_let_it_in_before() -> None:
    raw = delivered(answered())
    assert let_through(receive(raw)) == "hold"
    again = receive(raw)
    assert (again.state, again.reason, again.ticket_number) == ("ignored", "loop", None)
    assert again.evidence["rule"] == "loop"


def test_a_report_that_a_ticket_was_made_of_is_the_same_mail_when_it_comes_again() -> None:
    row = receive(DSN, mail_from="")
    assert (row.state, row.reason) == ("quarantined", "unknown report")
    assert let_through(row) == "open"
    again = receive(DSN, mail_from="")
    assert (again.state, again.reason, again.ticket_number) == (
        "ignored",
        "duplicate",
        row.ticket_number,
    )
    assert Ticket.objects.count() == 1


@pytest.mark.parametrize("pattern", ["mailer-daemon@mx.example.org", "@mx.example.org"])
def test_who_is_blocked_still_reports_that_our_answer_did_not_arrive(pattern: str) -> None:
    """Or its agent believes that the customer has it."""
    sent = answered()
    delivered(sent)
    BlockedSender.objects.create(pattern=pattern)
    row = receive(DSN, rcpt=bounce_address(SUPPORT, sent.pk), mail_from="")
    assert (row.state, row.reason) == ("done", "bounce")
    sent.refresh_from_db()
    assert sent.state == "bounced"
