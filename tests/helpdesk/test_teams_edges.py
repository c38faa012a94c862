"""AGENTS_SEE=teams: a mail about several tickets, and mail that came in at a mailbox that everybody
sees."""

import pytest

from helpdesk import access, actions
from helpdesk.models import OutboundMail, Participant, Person, Team
from tests.support.api import a_ticket
from tests.support.mail import agent, eml, mailbox, receive, ticket_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _teams(settings) -> None:
    settings.AGENTS_SEE = "teams"


def test_a_digest_of_which_one_ticket_is_out_of_sight_is_not_sent() -> None:
    bob, mine, theirs = agent("Bob"), a_ticket("Mine"), a_ticket("Theirs")
    mail = OutboundMail(
        kind="digest",
        person=bob,
        mailbox=mailbox(),
        to_address=bob.email,
        about=[mine.pk, theirs.pk],
    )
    assert access.may_get(mail)
    actions.set_team(theirs, Team.objects.create(name="sales"), actor=None)
    assert not access.may_get(mail)


def test_a_digest_is_not_sent_to_who_is_no_agent_any_more_though_they_take_part() -> None:
    bob, ticket = agent("Bob"), a_ticket()
    Participant.objects.create(ticket=ticket, person=bob, role="cc", source="agent")
    Person.objects.filter(pk=bob.pk).update(role="user")
    bob.refresh_from_db()
    mail = OutboundMail(
        kind="digest", person=bob, mailbox=mailbox(), to_address=bob.email, about=[ticket.pk]
    )
    assert not access.may_get(mail)


def test_mail_of_another_teams_ticket_is_not_seen_though_its_mailbox_is_everybodys() -> None:
    bob, row = agent("Bob"), receive(eml("Hello"))
    assert access.mails(bob).contains(row)
    actions.set_team(ticket_of(row), Team.objects.create(name="sales"), actor=None)
    assert not access.mails(bob).contains(row)
