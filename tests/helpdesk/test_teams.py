"""AGENTS_SEE=teams, from the side of an agent of another team: what is another team's is not there
for them, and no mail tells them of it, not even one that was written while they still saw it."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from helpdesk import access, actions, ledger
from helpdesk.actions import Content, watching
from helpdesk.models import Alert, AlertChannel, OutboundMail, Person, Team, Ticket, Watcher
from helpdesk.outbound import notify
from inbound.models import InboundMail
from tasks.alerts import deliver as deliver_alert
from tests.support.api import Api, a_ticket, admin
from tests.support.mail import agent, customer, deliver_all, eml, mailbox, receive, ticket_of

pytestmark = pytest.mark.django_db

SALES, SUPPORT = "sales@example.com", "support@example.com"


@pytest.fixture(autouse=True)
def _teams_apart(settings) -> None:
    settings.AGENTS_SEE = "teams"


@pytest.fixture
def bob() -> Person:
    """Of sales: what comes to support is none of his business."""
    return agent("Bob")


@pytest.fixture
def ada() -> Person:
    """Of support."""
    return agent("Ada")


@pytest.fixture
def ticket(ada: Person, bob: Person) -> Ticket:
    support, sales = Team.objects.create(name="Support"), Team.objects.create(name="Sales")
    support.members.add(ada), sales.members.add(bob)
    support.mailboxes.add(mailbox(SUPPORT)), sales.mailboxes.add(mailbox(SALES))
    return ticket_of(
        receive(eml("Secret matter", subject="Secret subject", message_id="first@example.net"))
    )


def page(person: Person, path: str) -> str:
    client = Client()
    client.force_login(person, backend="helpdesk.auth.EmailBackend")
    return client.get(path).content.decode()


def waiting(address: str, subject: str) -> InboundMail:
    """One in "To look at"."""
    return receive(
        eml("x", subject=subject, message_id=f"{subject}@x", x_spam_flag="YES"), rcpt=address
    )


# --- Pages


def test_the_ledger_and_its_counts_are_of_the_mailboxes_that_an_agent_sees(
    ticket: Ticket, ada, bob
) -> None:
    receive(eml("Offer", message_id="offer@x"), rcpt=SALES)
    for person, sees, sees_not in ((bob, SALES, SUPPORT), (ada, SUPPORT, SALES)):
        assert sees in page(person, "/admin/ledger/")
        assert sees_not not in page(person, "/admin/ledger/")
        assert {line["mailbox"] for line in Api(person)("GET", "/api/ledger/").json()} == {sees}
    assert {line["mailbox"] for line in Api(admin())("GET", "/api/ledger/").json()} == {
        SUPPORT,
        SALES,
    }


def test_to_look_at_counts_what_the_agent_can_look_at(ticket: Ticket, ada, bob) -> None:
    found = waiting(SUPPORT, "winning")
    InboundMail.objects.filter(pk=found.pk).update(to_look_at=InboundMail.Look.UNPLACED)
    for person, counted in ((ada, True), (bob, False)):
        assert ("hd-tab-count" in page(person, "/admin/to-look-at/")) is counted
    assert (ledger.to_read(access.mails(ada)), ledger.to_read(access.mails(bob))) == (1, 0)


def test_the_ticket_that_continues_another_teams_does_not_say_what_that_is_about(
    ticket: Ticket, ada, bob
) -> None:
    mine = a_ticket("Mine")
    actions.set_team(mine, Team.objects.get(name="Sales"), actor=None)
    Ticket.objects.filter(pk=ticket.pk).update(follows=mine)
    assert "Secret subject" not in page(bob, f"/admin/tickets/{mine.pk}/")
    assert "Secret subject" in page(admin(), f"/admin/tickets/{mine.pk}/")


def test_what_imap_passed_over_is_named_to_whoever_sees_all_mail(ticket: Ticket, bob) -> None:
    for person, words in ((admin(), list), (bob, int)):
        client = Client()
        client.force_login(person, backend="helpdesk.auth.EmailBackend")
        assert isinstance(client.get("/api/health/").json()["messages_passed_over"], words)


# --- Mail


def told(person: Person) -> list[str]:
    return sorted(OutboundMail.objects.filter(person=person).values_list("kind", flat=True))


def test_an_agent_who_cannot_see_the_ticket_is_told_nothing_of_it(ticket: Ticket, ada, bob) -> None:
    comment = ticket.comments.get()
    actions.reply(ticket, Content(text="Hm"), actor=ada)
    sent = OutboundMail.objects.get(kind="reply")
    type(comment).objects.filter(pk=sent.comment_id).update(
        author=bob
    )  # who wrote it has changed teams since
    soon = timezone.now() + timedelta(hours=1)
    notify.mentioned(ticket, comment, bob)
    notify.sla_warning(ticket, bob, "First response", soon)
    notify.sla_breach(ticket, bob, "First response", soon)
    notify.delivery_failed(OutboundMail.objects.get(kind="reply"), "no such user")
    assert told(bob) == []
    AlertChannel.objects.create(person=bob, name="chat", url="json://127.0.0.1/")
    notify.mentioned(ticket, comment, bob)
    assert not Alert.objects.exists()


def test_whoever_is_named_in_a_note_and_cannot_see_it_neither_hears_of_it_nor_watches(
    ticket: Ticket, ada, bob
) -> None:
    actions.note(ticket, Content(text="@bob @root: look"), actor=ada)
    admin()
    actions.note(ticket, Content(text="@bob @root: look"), actor=ada)
    assert told(bob) == []
    assert told(admin()) == ["mentioned"]
    assert not Watcher.objects.filter(person=bob).exists()
    assert ticket.events.filter(kind="noted").last().data["mentioned"] == ["Root"]
    with pytest.raises(actions.Refused):
        actions.watch(ticket, bob)


def test_a_watcher_who_has_lost_sight_of_a_ticket_gets_no_digest_of_it(
    ticket: Ticket, ada, bob
) -> None:
    mine = a_ticket("Mine")
    for row in (ticket, mine):
        actions.set_team(row, Team.objects.get(name="Sales"), actor=None)
        actions.watch(row, bob)
    actions.set_team(ticket, Team.objects.get(name="Support"), actor=ada)
    actions.note(mine, Content(text="x"), actor=admin())
    assert watching.send_digests() == 1
    mail = OutboundMail.objects.get(kind="digest")
    assert f"#{mine.pk}" in mail.text
    assert "Secret" not in mail.text + mail.subject + mail.html
    assert watching.send_digests() == 0


def test_an_agents_own_channel_is_silent_once_they_have_lost_sight_of_the_ticket(
    ticket: Ticket, ada: Person
) -> None:
    AlertChannel.objects.create(person=ada, name="chat", url="json://127.0.0.1:9/")
    notify.held(ticket, ticket.comments.get())
    ada.teams.clear()
    alert = Alert.objects.get()
    deliver_alert(alert.pk)
    alert.refresh_from_db()
    assert (alert.state, alert.error) == ("failed", "the reader may not see the ticket")


def test_a_teams_lead_sees_its_tickets_and_is_warned_of_them(ticket: Ticket, bob: Person) -> None:
    Team.objects.filter(name="Support").update(lead=bob)
    assert access.tickets(bob).contains(ticket)
    notify.sla_warning(ticket, bob, "First response", timezone.now())
    assert told(bob) == ["sla_warning"]


def test_what_was_found_a_moment_ago_is_not_found_once_it_is_out_of_sight(
    ticket: Ticket, ada: Person
) -> None:
    for seen in (True, False):
        if not seen:
            ada.teams.clear()
        assert ("Secret subject" in page(ada, "/admin/search/?s=secret&extended=1")) is seen


def posted(person: Person, path: str, **form: object) -> tuple[str, str]:
    """Where a form leads, and what is said there."""
    client = Client()
    client.force_login(person, backend="helpdesk.auth.EmailBackend")
    answer = client.post(path, form, follow=True)
    assert answer.status_code == 200
    return answer.request["PATH_INFO"], answer.content.decode()


def test_whoever_gives_a_ticket_away_is_told_so_and_not_that_there_is_nothing(
    ticket: Ticket, ada: Person
) -> None:
    sales = Team.objects.get(name="Sales")
    where, words = posted(ada, f"/admin/tickets/{ticket.pk}/change/", team=sales.pk)
    assert where == "/admin/tickets/"
    assert f"#{ticket.pk} is changed, and not yours to see any more." in words
    assert "Secret" not in words
    assert Ticket.objects.get().team == sales


def test_whoever_names_somebody_in_a_note_who_may_not_see_it_is_told_that_they_are_not(
    ticket: Ticket, ada, bob
) -> None:
    _, words = posted(ada, f"/admin/tickets/{ticket.pk}/reply/", body="@bob look", kind="note")
    assert "Bob may not see this ticket, and is not told." in words


def test_what_waits_is_not_sent_to_a_participant_who_was_taken_off(
    ticket: Ticket, ada: Person
) -> None:
    dan, eve = customer("dan@example.net", "Dan"), customer("eve@example.net", "Eve")
    for person in (dan, eve):
        actions.add_participant(ticket, person, "cc", source="agent", actor=ada)
    actions.reply(ticket, Content(text="Secret words"), actor=ada)
    actions.remove_participant(ticket, dan, actor=ada)
    deliver_all()
    states = OutboundMail.objects.filter(kind="reply").values_list("to_address", "state", "reason")
    assert set(states) == {
        ("dan@example.net", "cancelled", "takes part no more"),
        ("eve@example.net", "sent", ""),
        ("cleo@example.net", "sent", ""),
    }


def test_that_an_answer_came_back_is_told_to_who_has_the_ticket_where_its_author_may_not_see_it(
    ticket: Ticket, ada, bob
) -> None:
    actions.reply(ticket, Content(text="Hm"), actor=ada)
    mail = OutboundMail.objects.get(kind="reply")
    assert mail.comment is not None
    mail.comment.author = bob
    notify.delivery_failed(mail, "no such user")
    assert (told(bob), told(ada)) == ([], ["delivery_failed"])
