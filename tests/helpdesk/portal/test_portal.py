"""The customers' pages, also from the side of whoever must not get in."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from helpdesk import actions
from helpdesk.actions import Content
from helpdesk.models import Comment, OutboundMail, Ticket
from tests.support.mail import agent, customer, eml, mailbox, receive, ticket_of
from tests.support.portal import PNG, a_ticket

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("who", ["nobody", "other", "agent"])
def test_somebody_elses_ticket_is_not_there(client, who: str) -> None:
    ticket = a_ticket()
    comment = ticket.comments.get()
    if who != "nobody":
        client.force_login(agent() if who == "agent" else customer("dan@example.net", "Dan"))
    for method, path in (
        ("get", f"tickets/{ticket.pk}/"),
        ("post", f"tickets/{ticket.pk}/reply/"),
        ("post", f"tickets/{ticket.pk}/rate/"),
        ("post", f"tickets/{ticket.pk}/withdraw/"),
        ("get", f"comments/{comment.pk}/"),
        ("get", "files/1/"),
    ):
        answer = getattr(client, method)(f"/portal/{path}", {"body": "x", "score": "5"})
        # Nobody is asked to sign in, staff are sent to their site, others find nothing.
        assert answer.status_code == (404 if who == "other" else 302), path
    ticket.refresh_from_db()
    assert ticket.comments.count() == 1
    assert ticket.status == "open"


def test_internal_notes_and_held_mail_are_not_shown(client) -> None:
    ticket = ticket_of(receive(eml("first", message_id="a@x")))
    actions.note(ticket, Content(text="SECRET-NOTE"), actor=agent())
    receive(eml("SECRET-HELD", sender="eve@example.org", in_reply_to="<a@x>"))
    assert Comment.objects.count() == 3
    client.force_login(ticket.requester)
    page = client.get(f"/portal/tickets/{ticket.pk}/").content.decode()
    assert "SECRET" not in page


def test_a_customer_opens_a_request_writes_on_it_with_files_and_rates_the_answer(client) -> None:
    mailbox()
    cleo = customer()
    client.force_login(cleo)
    answer = client.post(
        "/portal/new/",
        {
            "title": "Hello",
            "description": "World",
            "priority": "3",
            "files": SimpleUploadedFile("a.png", PNG),
        },
    )
    ticket = Ticket.objects.get()
    assert answer.url == f"/portal/tickets/{ticket.pk}/"
    assert (ticket.priority, ticket.comments.get().attachments.count()) == (3, 1)
    bad = client.post(
        f"/portal/tickets/{ticket.pk}/reply/",
        {"body": "kept", "files": SimpleUploadedFile("a.png", b"MZ")},
        follow=True,
    )
    assert "its content is no png" in bad.content.decode()
    assert "kept" in bad.content.decode()
    client.post(f"/portal/tickets/{ticket.pk}/reply/", {"body": "more"})
    assert ticket.comments.count() == 2
    client.post(f"/portal/tickets/{ticket.pk}/rate/", {"score": "5"})
    assert not hasattr(Ticket.objects.get(), "rating")
    actions.reply(ticket, Content(text="done"), actor=agent())
    actions.set_status(ticket, "resolved", actor=agent())
    client.post(f"/portal/tickets/{ticket.pk}/rate/", {"score": "5", "words": "Great"})
    assert Ticket.objects.get().rating.score == 5
    client.post(f"/portal/tickets/{ticket.pk}/withdraw/")
    assert Ticket.objects.get().status == "closed"


def test_a_guest_opens_a_request_and_changes_nobody(client) -> None:
    mailbox()
    cleo = customer(name="")
    form = {"name": "Mallory", "email": "cleo@example.net", "title": "Hi", "description": "Help"}
    assert client.post("/portal/new/", form).url == "/portal/thanks/"
    cleo.refresh_from_db()
    assert cleo.name == ""
    assert Ticket.objects.get().requester == cleo
    assert OutboundMail.objects.get().kind == "acknowledgement"
    page = client.post("/portal/new/", {**form, "email": "no"}).content.decode()
    assert "valid email" in page
    assert "Mallory" in page


def test_the_pages_speak_the_browsers_language_and_the_persons_first(client) -> None:
    mailbox()
    assert (
        client.get("/portal/sign-in/", headers={"accept-language": "de"})["Content-Language"]
        == "de"
    )
    cleo = customer()
    actions.choose_mail(cleo, muted=[], language="fr")
    client.force_login(cleo)
    assert client.get("/portal/", headers={"accept-language": "de"})["Content-Language"] == "fr"


def test_the_list_asks_as_much_for_two_tickets_as_for_fifty(
    client, django_assert_max_num_queries
) -> None:
    client.force_login(customer())
    for _ in range(50):
        a_ticket(acknowledge=False)
    with django_assert_max_num_queries(4):
        assert client.get("/portal/").status_code == 200


def test_a_form_that_is_not_ours_is_refused_with_a_page_of_ours_in_the_readers_language(
    client,
) -> None:
    strict = Client(
        enforce_csrf_checks=True, headers={"Accept-Language": "de", "Accept": "text/html"}
    )
    answer = strict.post("/portal/sign-in/", {"email": "x@example.net"})
    assert answer.status_code == 403
    assert "Dieses Formular war zu lange offen" in answer.content.decode()
