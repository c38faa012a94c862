"""The pages agents work on: what they show, what they do, and that they stay cheap."""

from email import message_from_bytes
from email.policy import default

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from helpdesk import demo
from helpdesk.models import Comment, Participant, Ticket
from tests.support.mail import agent, customer, deliver_all, eml, receive, ticket_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    found = Client()
    found.force_login(agent(), backend="helpdesk.auth.EmailBackend")
    return found


def many(count: int) -> None:
    first = ticket_of(receive(eml("x", message_id=f"seed{count}@x")))
    rows = Ticket.objects.bulk_create(
        Ticket(subject=f"t{n}", requester=first.requester, mailbox=first.mailbox)
        for n in range(count)
    )
    Comment.objects.bulk_create(
        Comment(ticket=row, author=first.requester, via="email", text="x") for row in rows
    )


def queries(client: Client, url: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


@pytest.mark.parametrize(
    "url", ["/admin/tickets/", "/admin/tickets/?queue=all", "/admin/tickets/?q=t1"]
)
def test_the_list_asks_as_often_with_two_hundred_tickets_as_with_five(
    client: Client, url: str
) -> None:
    many(5)
    few = queries(client, url)
    many(200)
    assert queries(client, url) == few


def test_the_conversation_asks_as_often_with_many_comments_as_with_one(client: Client) -> None:
    ticket = ticket_of(receive(eml("x", message_id="a@a")))
    few = queries(client, f"/admin/tickets/{ticket.pk}/")
    for n in range(20):
        receive(eml(f"more {n}", message_id=f"{n}@b", in_reply_to="<a@a>"))
    assert queries(client, f"/admin/tickets/{ticket.pk}/") == few


def test_paging_by_key_shows_every_ticket_once(client: Client) -> None:
    many(75)
    seen, url = [], "/admin/tickets/?queue=all"
    for _ in range(5):
        answer = client.get(url)
        seen += [ticket.pk for ticket in answer.context["page"].tickets]
        url = answer.context["older"]
        if not url:
            break
    assert sorted(seen) == sorted(Ticket.objects.values_list("pk", flat=True))
    back = client.get(answer.context["newer"])
    assert len(back.context["page"].tickets) == 30


def test_a_reply_with_a_file_reaches_the_customer_with_threading_headers(client: Client) -> None:
    ticket = ticket_of(receive(eml("x", subject="Re: Fire", message_id="first@example.net")))
    upload = SimpleUploadedFile("plan.pdf", b"%PDF-1", content_type="application/pdf")
    client.post(
        f"/admin/tickets/{ticket.pk}/reply/",
        {"kind": "reply", "body": "Try **water**.", "then": "pending", "files": upload},
    )
    ticket.refresh_from_db()
    assert (ticket.status, ticket.assignee) == ("pending", agent())
    sent = [message_from_bytes(raw, policy=default) for raw in deliver_all()]
    reply = next(mail for mail in sent if mail["X-Helpdesk-Mail"] == "reply")
    assert reply["In-Reply-To"] == "<first@example.net>"
    assert reply["Subject"] == "Re: Fire"
    assert reply["Auto-Submitted"] is None
    assert "+r" in reply["Reply-To"]
    assert "+b" in reply["X-Envelope-From"]
    assert [part.get_filename() for part in reply.iter_attachments()] == ["plan.pdf"]


def test_a_refused_reply_keeps_what_was_written(client: Client) -> None:
    ticket = ticket_of(receive(eml("x", message_id="a@a")))
    client.post(f"/admin/tickets/{ticket.pk}/change/", {"status": "closed"})
    client.post(f"/admin/tickets/{ticket.pk}/reply/", {"kind": "reply", "body": "long words"})
    page = client.get(f"/admin/tickets/{ticket.pk}/").content.decode()
    assert "long words" in page
    assert "Reopen it to answer" in page


def test_a_stale_form_changes_nothing(client: Client) -> None:
    ticket = ticket_of(receive(eml("x", message_id="a@a")))
    client.post(f"/admin/tickets/{ticket.pk}/change/", {"version": "1", "priority": "4"})
    client.post(f"/admin/tickets/{ticket.pk}/change/", {"version": "1", "priority": "1"})
    ticket.refresh_from_db()
    assert ticket.priority == 4


def test_bulk_says_how_many_changed_and_why_others_did_not(client: Client) -> None:
    many(3)
    pks = list(Ticket.objects.values_list("pk", flat=True))
    answer = client.post("/admin/tickets/bulk/", {"ticket": pks, "status": "resolved"}, follow=True)
    assert "4 skipped" in answer.content.decode()
    client.post(
        "/admin/tickets/bulk/", {"ticket": pks, "assignee": str(agent().pk), "status": "resolved"}
    )
    assert set(Ticket.objects.values_list("status", flat=True)) == {"resolved"}


def test_held_mail_is_set_apart_and_admitted_with_a_click(client: Client) -> None:
    ticket = ticket_of(receive(eml("x", message_id="a@a")))
    receive(eml("<b>let me in</b>", sender="eve@e.example", in_reply_to="<a@a>"))
    page = client.get(f"/admin/tickets/{ticket.pk}/").content.decode()
    assert "Held mail" in page
    assert "<b>let me in" not in page
    held = Comment.objects.get(visibility="held")
    client.post(f"/admin/comments/{held.pk}/decide/", {"decision": "admit-participant"})
    held.refresh_from_db()
    assert held.visibility == "public"
    assert Participant.objects.filter(person__email="eve@e.example").exists()


def test_the_mails_page_says_why_it_landed_there(client: Client) -> None:
    receive(eml("x", message_id="a@a"))
    row = receive(eml("y", sender="eve@e.example", message_id="e@e", in_reply_to="<a@a>"))
    page = client.get(f"/admin/mail/{row.pk}/").content.decode()
    assert "in-reply-to" in page
    assert "the sender is no participant" in page


def test_search_finds_numbers_words_and_addresses(client: Client) -> None:
    ticket = ticket_of(receive(eml("about zebras", message_id="a@a")))
    for query in (f"%23{ticket.pk}", "zebra", "cleo@example.net"):
        assert client.get(f"/admin/tickets/?q={query}").context["page"].tickets == [ticket], query


def test_the_sample_data_sends_nothing() -> None:
    assert demo.fill(8) == 8
    assert deliver_all() == []


def test_a_refused_note_stays_a_note(client: Client) -> None:
    """Or the next click on Send would mail it to the customer."""
    ticket = ticket_of(receive(eml("x", message_id="a@a")))
    client.post(f"/admin/tickets/{ticket.pk}/reply/", {"kind": "note", "body": " "})
    page = client.get(f"/admin/tickets/{ticket.pk}/").content.decode()
    assert 'value="note" checked' in page
    assert 'value="reply" checked' not in page


def test_an_answer_whose_next_step_is_refused_is_sent_once_and_does_not_come_back(
    client: Client,
) -> None:
    ticket = ticket_of(receive(eml("x", message_id="a@a")))
    client.post(
        f"/admin/tickets/{ticket.pk}/reply/", {"kind": "reply", "body": "done", "then": "resolved"}
    )
    client.post(
        f"/admin/tickets/{ticket.pk}/reply/",
        {"kind": "reply", "body": "one more", "then": "pending"},
    )
    page = client.get(f"/admin/tickets/{ticket.pk}/")
    assert "The answer is sent." in page.content.decode()
    assert page.context["draft"] == {}
    assert ticket.comments.filter(text="one more").count() == 1


def test_no_header_ends_in_white_space_which_the_web_server_refuses(client: Client) -> None:
    raw = (
        b"From: cleo@example.net\nContent-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: text/plain\n\nhi\n"
        b"--o\nContent-Type: image/png\nContent-Disposition: attachment; filename=a.png\n\nPNG\n--o--\n"
    )
    ticket = ticket_of(receive(raw))
    item = ticket.comments.get().attachments.get()
    for url in (f"/admin/attachments/{item.pk}/", f"/admin/tickets/{ticket.pk}/"):
        assert all(value == value.strip() for value in client.get(url).headers.values())


def test_the_sidebar_leads_to_the_queues(client: Client) -> None:
    assert "/admin/tickets/?queue=mine" in client.get("/admin/tickets/").content.decode()


def test_who_signs_in_by_the_bare_address_lands_on_the_queue(client) -> None:
    agent()
    form = {"username": "ada@example.com", "password": "correct horse battery"}
    answer = client.post("/admin/login/", form, follow=True)
    assert (answer.status_code, answer.redirect_chain[-1][0]) == (200, "/admin/tickets/")


@pytest.mark.parametrize(
    "text",
    ["a & b <c> http://example.net/(d)\n" * 150_000, "a@b.cc " * 700_000, "\n\nx" * 1_500_000],
)
def test_megabytes_of_text_in_a_mail_are_shown_in_part(client: Client, text: str) -> None:
    ticket = ticket_of(receive(eml("Hello")))
    ticket.comments.update(text=text, quoted_text=text)
    for person, url in (
        (agent(), f"/admin/tickets/{ticket.pk}/"),
        (customer(), f"/portal/tickets/{ticket.pk}/"),
    ):
        client.force_login(person)
        page = client.get(url).content.decode()
        assert "[…]" in page
        assert len(page) < 2_000_000
