"""What an admin does to mailboxes on the staff site goes through actions, which say who did it."""

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from helpdesk.actions import mailboxes
from helpdesk.models import MailTemplate, OutboundMail, Person, Team
from inbound.models import ImapAccount, Mailbox
from tests.support.api import admin
from tests.support.mail import agent, mailbox

pytestmark = pytest.mark.django_db


@pytest.fixture
def accounts() -> list[ImapAccount]:
    where = mailbox()
    return [
        ImapAccount.objects.create(
            mailbox=where, host="imap.example.com", username=name, secret="x"
        )
        for name in ("ann", "bob")
    ]


def page_of(person: Person) -> Client:
    client = Client()
    client.force_login(person, backend="helpdesk.auth.EmailBackend")
    return client


def press(client: Client, action: str, accounts: list[ImapAccount]) -> int:
    ticked = [str(account.pk) for account in accounts]
    answer = client.post(
        "/admin/inbound/imapaccount/", {"action": action, "_selected_action": ticked}
    )
    return answer.status_code


def test_who_paused_an_account_and_who_resumed_it_stands_in_its_log(
    accounts: list[ImapAccount],
) -> None:
    root = admin()
    client = page_of(root)
    assert press(client, "pause", accounts) == 302
    assert not ImapAccount.objects.filter(is_active=True).exists()
    assert press(client, "resume", accounts[:1]) == 302
    assert list(ImapAccount.objects.filter(is_active=True)) == accounts[:1]
    said = LogEntry.objects.filter(object_id=str(accounts[0].pk)).order_by("pk")
    assert [(row.user, row.change_message) for row in said] == [
        (root, "It is paused."),
        (root, "It is watched again."),
    ]
    assert LogEntry.objects.get(object_id=str(accounts[1].pk)).change_message == "It is paused."


def test_an_agent_pauses_nothing(accounts: list[ImapAccount]) -> None:
    assert press(page_of(agent()), "pause", accounts) == 403
    assert ImapAccount.objects.filter(is_active=True).count() == 2
    assert not LogEntry.objects.exists()


def test_a_mailbox_is_given_to_teams_and_taken_from_them() -> None:
    where, team = mailbox(), Team.objects.create(name="Support")
    mailboxes.give_to_teams(where, [team])
    assert list(where.teams.all()) == [team]
    mailboxes.give_to_teams(where, [])
    assert not where.teams.exists()


def test_a_test_of_a_mailboxs_own_words_goes_to_the_admin_who_asks() -> None:
    root, where = admin(), mailbox()
    text = MailTemplate.objects.create(mailbox=where, kind="reply", subject="S", body="Hello")
    assert page_of(root).post(f"/admin/mail-texts/{text.pk}/preview/").status_code == 302
    assert OutboundMail.objects.get().to_address == root.email
    assert Mailbox.objects.get() == where
