"""What an answer's References tell, and whose addresses an agent lets mail go to again."""

import pytest
from django.test import Client

from helpdesk import actions
from helpdesk.actions import Content
from helpdesk.models import Comment, OutboundMail, Suppression
from tests.support.api import a_ticket
from tests.support.mail import agent, customer, eml, receive, ticket_of

pytestmark = pytest.mark.django_db


def test_nobody_is_shown_the_id_of_somebody_elses_copy() -> None:
    """Who knows it could claim that it came back, or write as its reader."""
    ticket, dan = (
        ticket_of(receive(eml("Hello", message_id="one@x"))),
        customer("dan@example.net", "Dan"),
    )
    actions.add_participant(ticket, dan, "cc", source="agent", actor=agent())
    first = actions.reply(ticket, Content(text="One"), actor=agent())
    second = actions.reply(ticket, Content(text="Two"), actor=agent())
    ids = {mail.person: mail.message_id for mail in OutboundMail.objects.filter(comment=first)}
    assert len(ids) == 2
    for mail in OutboundMail.objects.filter(comment=second):
        told = mail.references.split()
        assert ids[mail.person] in told
        assert not {found for person, found in ids.items() if person != mail.person} & set(told)


def test_the_id_of_a_held_mail_is_in_nobodys_references() -> None:
    ticket = ticket_of(receive(eml("Hello", message_id="one@x")))
    row = receive(
        eml(
            "Let me in",
            sender="m@evil.example",
            message_id="held@evil.example",
            in_reply_to="<one@x>",
        )
    )
    assert Comment.objects.get(mail=row).visibility == "held"
    mail = OutboundMail.objects.get(
        comment=actions.reply(ticket, Content(text="One"), actor=agent())
    )
    assert "one@x" in mail.references
    assert "held@evil.example" not in mail.references + mail.in_reply_to


def test_an_agent_lifts_the_address_of_a_participant_and_no_other(client: Client) -> None:
    ticket = a_ticket()
    for address in ("cleo@example.net", "dan@example.net"):
        Suppression.objects.create(address=address, reason="bounce")
        client.force_login(agent(), backend="helpdesk.auth.EmailBackend")
        client.post(f"/admin/tickets/{ticket.pk}/lift/", {"address": address})
    assert list(Suppression.objects.values_list("address", flat=True)) == ["dan@example.net"]


def test_of_the_many_in_a_first_mails_cc_staff_do_not_take_part(settings) -> None:
    settings.MAX_PEOPLE_FROM_MAIL = 1
    agent()
    row = receive(eml("Hello", cc="ada@example.com, dan@example.net, eve@example.net"))
    comment = Comment.objects.get(mail=row)
    assert len(comment.asks_to_add) == 3
    actions.let_take_part(comment, actor=agent("Bea"), yes=True)
    found = set(ticket_of(row).participants.values_list("person__email", flat=True))
    assert found == {"cleo@example.net", "dan@example.net", "eve@example.net"}
