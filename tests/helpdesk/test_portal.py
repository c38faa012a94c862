"""The customers' pages, also from the side of whoever must not get in."""

import html
import json
import re
from datetime import timedelta

import pytest
from django.core import mail as django_mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone, translation
from django.utils.formats import date_format

from helpdesk import actions
from helpdesk.actions import Content, pins
from helpdesk.history import describe
from helpdesk.links import ticket_link
from helpdesk.models import Comment, MailTemplate, OutboundMail, Participant, Person, Ticket
from inbound.secrets import unseal
from tests.mail import agent, customer, eml, mailbox, receive, ticket_of

pytestmark = pytest.mark.django_db

WITH_FILE = (
    b"From: cleo@example.net\nSubject: x\nContent-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: text/html\n\n"
    b"<p>hi</p>\n--o\nContent-Type: text/plain\nContent-Disposition: attachment; filename=a.txt\n\nmine\n--o--\n"
)
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100


def a_ticket(**fields: object) -> Ticket:
    ticket, _ = actions.open_ticket(
        requester=customer(), mailbox=mailbox(), subject="Printer", content=Content(text="It smokes"), via="portal",
        actor=None, **fields,
    )  # fmt: skip
    return ticket


def the_code() -> str:
    return the_code_in(OutboundMail.objects.filter(kind="code").order_by("-pk")[0])


def the_code_in(mail: OutboundMail) -> str:
    found = re.search(r"\b(\d{6})\b", json.loads(unseal(mail.sealed))[0])
    assert found is not None
    return found[1]


def test_a_customer_signs_in_by_code_and_lands_where_they_wanted(client) -> None:
    ticket = a_ticket()
    answer = client.get(f"/portal/tickets/{ticket.pk}/")
    assert "/portal/sign-in/" in answer.url
    client.get(answer.url)
    client.post("/portal/sign-in/", {"email": "Cleo@example.net"})
    assert (
        client.post("/portal/sign-in/code/", {"code": "000000" if the_code() != "000000" else "1"}).status_code == 200
    )
    answer = client.post("/portal/sign-in/code/", {"code": the_code()})
    assert answer.url == f"/portal/tickets/{ticket.pk}/"
    assert "It smokes" in client.get(answer.url).content.decode()


def test_the_pages_say_the_same_to_known_and_unknown_addresses_and_staff_get_no_code(client) -> None:
    mailbox()
    customer()
    agent()
    pages = set()
    for address in ("cleo@example.net", "nobody@example.net", "ada@example.com"):
        answer = client.post("/portal/sign-in/", {"email": address}, follow=True)
        text = re.sub(r"csrf\w+\"[^>]*>", "", answer.content.decode()).replace(address, "")
        pages.add(re.sub(r'value="[^"]*"', "", text))
    assert len(pages) == 1
    assert OutboundMail.objects.filter(kind="code", state="queued").count() == 1
    assert not django_mail.outbox


def test_a_pin_signs_in_once(client) -> None:
    mailbox()
    pin = pins.issue_pin(customer(), actor=agent())
    assert client.post("/portal/sign-in/pin/", {"pin": pin}).url == "/portal/"
    client.logout()
    assert "not valid any more" in client.post("/portal/sign-in/pin/", {"pin": pin}).content.decode()


@pytest.mark.parametrize("who", ["nobody", "other", "agent"])
def test_somebody_elses_ticket_is_not_there(client, who: str) -> None:
    ticket = a_ticket()
    comment = ticket.comments.get()
    if who != "nobody":
        client.force_login(agent() if who == "agent" else customer("dan@example.net", "Dan"))
    for method, path in (
        ("get", f"tickets/{ticket.pk}/"), ("post", f"tickets/{ticket.pk}/reply/"), ("post", f"tickets/{ticket.pk}/rate/"),
        ("post", f"tickets/{ticket.pk}/withdraw/"), ("get", f"comments/{comment.pk}/"), ("get", "files/1/"),
    ):  # fmt: skip
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
        "/portal/new/", {"title": "Hello", "description": "World", "priority": "3", "files": SimpleUploadedFile("a.png", PNG)}
    )  # fmt: skip
    ticket = Ticket.objects.get()
    assert answer.url == f"/portal/tickets/{ticket.pk}/"
    assert (ticket.priority, ticket.comments.get().attachments.count()) == (3, 1)
    bad = client.post(f"/portal/tickets/{ticket.pk}/reply/", {"body": "kept", "files": SimpleUploadedFile("a.png", b"MZ")}, follow=True)  # fmt: skip
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


def test_the_link_of_a_mail_opens_the_ticket_to_read_and_nothing_more(client) -> None:
    ticket = a_ticket()
    actions.reply(ticket, Content(text="Turn it off"), actor=agent())
    link = ticket_link(ticket, ticket.requester)
    assert link in OutboundMail.objects.get(kind="reply").text
    path = link[link.index("/portal/") :]
    answer = client.get(path)
    assert "Turn it off" in answer.content.decode()
    assert answer["Referrer-Policy"] == "same-origin"
    assert 'name="body"' not in answer.content.decode()
    assert client.get(f"/portal/tickets/{ticket.pk}/").status_code == 302  # it signs nobody in
    assert client.get(path[:-5] + "AAAA/").status_code == 404


@pytest.mark.parametrize("why", ["old", "removed", "switched off", "staff"])
def test_a_link_ends(client, settings, why: str) -> None:
    ticket = a_ticket()
    link = ticket_link(ticket, ticket.requester)
    path = link[link.index("/portal/") :]
    if why == "old":
        settings.TICKET_LINK_DAYS = -1
    elif why == "removed":
        Participant.objects.all().delete()
    elif why == "switched off":
        Person.objects.update(is_active=False)
    else:
        Person.objects.update(role="agent")
    assert client.get(path).status_code == 404


def test_the_pages_speak_the_browsers_language_and_the_persons_first(client) -> None:
    mailbox()
    assert client.get("/portal/sign-in/", headers={"accept-language": "de"})["Content-Language"] == "de"
    cleo = customer()
    actions.choose_mail(cleo, muted=[], language="fr")
    client.force_login(cleo)
    assert client.get("/portal/", headers={"accept-language": "de"})["Content-Language"] == "fr"


def test_the_list_asks_as_much_for_two_tickets_as_for_fifty(client, django_assert_max_num_queries) -> None:
    client.force_login(customer())
    for _ in range(50):
        a_ticket(acknowledge=False)
    with django_assert_max_num_queries(4):
        assert client.get("/portal/").status_code == 200


def test_another_address_takes_a_code_from_the_old_one_and_one_from_the_new_one(client) -> None:
    mailbox()
    cleo = customer()
    client.force_login(cleo)
    client.post("/portal/me/address/", {"email": "cleo@new.example"})
    sent = {m.to_address: the_code_in(m) for m in OutboundMail.objects.filter(kind="code")}
    assert set(sent) == {"cleo@example.net", "cleo@new.example"}
    swapped = {"confirmation": sent["cleo@new.example"], "verification": sent["cleo@example.net"]}
    if len(set(sent.values())) == 2:
        client.post("/portal/me/address/", swapped)
    cleo.refresh_from_db()
    assert cleo.email == "cleo@example.net"
    client.post(
        "/portal/me/address/", {"confirmation": sent["cleo@example.net"], "verification": sent["cleo@new.example"]}
    )
    cleo.refresh_from_db()
    assert cleo.email == "cleo@new.example"
    row = receive(eml("from the old one", sender="cleo@example.net"))
    assert ticket_of(row).requester == cleo


def test_somebody_elses_address_cannot_be_taken(client) -> None:
    mailbox()
    cleo, dan = customer(), customer("dan@example.net", "Dan")
    client.force_login(cleo)
    client.post("/portal/me/address/", {"email": "dan@example.net"})
    sent = {m.to_address: the_code_in(m) for m in OutboundMail.objects.filter(kind="code")}
    client.post(
        "/portal/me/address/", {"confirmation": sent["cleo@example.net"], "verification": sent["dan@example.net"]}
    )
    cleo.refresh_from_db()
    dan.refresh_from_db()
    assert (cleo.email, dan.email) == ("cleo@example.net", "dan@example.net")


# --- The link in a mail


def link_of(ticket: Ticket, kind: str = "reply") -> str:
    """The path in the newest mail of that kind."""
    mail = OutboundMail.objects.filter(ticket=ticket, kind=kind).order_by("-pk")[0]
    found = re.search(r"https?://[^/\s]+(/portal/link/\S+)", mail.text)
    assert found is not None
    assert found[1] in mail.html
    return found[1]


@pytest.mark.parametrize("language", ["en", "de", "fr", "es"])
@pytest.mark.parametrize("kind", ["acknowledgement", "reply", "status_changed"])
def test_the_mail_and_the_page_say_until_when_the_link_works(client, settings, kind: str, language: str) -> None:
    settings.TICKET_LINK_DAYS = 12
    actions.choose_mail(customer(), muted=[], language=language)
    ticket = a_ticket()
    actions.reply(ticket, Content(text="Turn it off"), actor=agent())
    actions.set_status(ticket, "resolved", actor=agent())
    with translation.override(language):
        until = date_format(timezone.localtime() + timedelta(days=12), "DATE_FORMAT")
    mail = OutboundMail.objects.get(kind=kind)
    assert until in mail.text
    assert until in html.unescape(mail.html)
    page = client.get(link_of(ticket, kind), headers={"accept-language": language}).content.decode()
    assert until in html.unescape(page)


def test_a_mailboxes_own_text_can_say_until_when_the_link_works(settings) -> None:
    MailTemplate.objects.create(
        mailbox=mailbox(), kind="reply", subject="Re", body="{{message}} {{link}} till {{link_until}}"
    )
    ticket = a_ticket()
    actions.reply(ticket, Content(text="Turn it off"), actor=agent())
    until = date_format(timezone.localtime() + timedelta(days=settings.TICKET_LINK_DAYS), "DATE_FORMAT")
    assert f"till {until}" in OutboundMail.objects.get(kind="reply").text


@pytest.mark.parametrize("who", ["customer", "staff"])
def test_links_are_ended_by_the_customer_for_themselves_and_by_staff_for_all(client, who: str) -> None:
    ticket, dan = a_ticket(), customer("dan@example.net", "Dan")
    actions.add_participant(ticket, dan, "cc", source="agent", actor=agent())
    elsewhere = a_ticket()
    links = {name: path(ticket_link(row, person)) for name, row, person in (
        ("cleo's", ticket, customer()), ("dan's", ticket, dan), ("another ticket's", elsewhere, customer()))}  # fmt: skip
    assert [client.get(link).status_code for link in links.values()] == [200] * 3
    client.force_login(customer() if who == "customer" else agent(), backend="helpdesk.auth.EmailBackend")
    where = f"/portal/tickets/{ticket.pk}/" if who == "customer" else f"/admin/tickets/{ticket.pk}/"
    assert f'action="{where}links/"' in client.get(where).content.decode()
    assert client.get(where + "links/").status_code == 405
    assert client.post(where + "links/").status_code == 302
    client.logout()
    works = {name for name, link in links.items() if client.get(link).status_code == 200}
    assert works == {"another ticket's"} | ({"dan's"} if who == "customer" else set())
    assert client.get(path(ticket_link(ticket, customer()))).status_code == 200  # the next mail's
    event = ticket.events.get(kind="links-ended")
    assert str(event.actor) == ("Cleo" if who == "customer" else "Ada")
    assert "ended" in describe(event)


def test_nobody_else_ends_links(client) -> None:
    ticket = a_ticket()
    link = path(ticket_link(ticket, customer()))
    for person, where in (
        (customer("dan@example.net", "Dan"), "portal"), (customer(), "admin"), (None, "portal"), (None, "admin"),
    ):  # fmt: skip
        client.logout()
        if person:
            client.force_login(person, backend="helpdesk.auth.EmailBackend")
        assert client.post(f"/{where}/tickets/{ticket.pk}/links/").status_code in {302, 404}
        client.logout()
        assert client.get(link).status_code == 200, (person, where)


@pytest.mark.parametrize("why", ["old", "ended", "forged"])
def test_a_link_that_does_not_work_leads_to_a_code(client, settings, why: str) -> None:
    mailbox()
    raw = ticket_of(receive(WITH_FILE))
    link = path(ticket_link(raw, customer()))
    comment = raw.comments.get()
    others = [f"{link}files/{comment.attachments.get().pk}/", f"{link}comments/{comment.pk}/"]
    assert [client.get(url).status_code for url in [link, *others]] == [200] * 3
    if why == "old":
        settings.TICKET_LINK_DAYS = -1
    elif why == "ended":
        actions.end_links(raw, actor=agent())
    else:
        others = [url.replace("/portal/link/", "/portal/link/x") for url in others]
        link = link.replace("/portal/link/", "/portal/link/x")
    for url in [link, *others]:
        answer = client.get(url)
        assert answer.status_code == 404
        assert "does not work any more" in answer.content.decode()
        assert "/portal/sign-in/" in answer.content.decode()
        assert (f"next=/portal/tickets/{raw.pk}/" in answer.content.decode()) is (why != "forged")


def test_whoever_gets_a_hidden_copy_is_given_no_link_that_opens_nothing() -> None:
    ticket, dan = a_ticket(), customer("dan@example.net", "Dan")
    actions.reply(ticket, Content(text="Turn it off"), actor=agent(), bcc=[dan])
    assert "/portal/link/" in OutboundMail.objects.get(kind="reply", person=customer()).text
    assert "/portal/link/" not in OutboundMail.objects.get(kind="reply", person=dan).text


def path(link: str) -> str:
    return link[link.index("/portal/") :]


def test_a_form_that_is_not_ours_is_refused_with_a_page_of_ours_in_the_readers_language(client) -> None:
    strict = Client(enforce_csrf_checks=True, headers={"Accept-Language": "de", "Accept": "text/html"})
    answer = strict.post("/portal/sign-in/", {"email": "x@example.net"})
    assert answer.status_code == 403
    assert "Dieses Formular war zu lange offen" in answer.content.decode()
