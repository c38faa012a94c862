"""The links in mail: what they open, to whom, and until when."""

import html
import re
from datetime import timedelta

import pytest
from django.utils import timezone, translation
from django.utils.formats import date_format

from helpdesk import actions
from helpdesk.actions import Content
from helpdesk.history import describe
from helpdesk.models import MailTemplate, OutboundMail, Participant, Person, Ticket
from helpdesk.outbound.links import ticket_link
from tests.support.mail import agent, customer, mailbox, receive, ticket_of
from tests.support.portal import WITH_FILE, a_ticket

pytestmark = pytest.mark.django_db


def link_of(ticket: Ticket, kind: str = "reply") -> str:
    """The path in the newest mail of that kind."""
    mail = OutboundMail.objects.filter(ticket=ticket, kind=kind).order_by("-pk")[0]
    found = re.search(r"https?://[^/\s]+(/portal/link/\S+)", mail.text)
    assert found is not None
    assert found[1] in mail.html
    return found[1]


def path(link: str) -> str:
    return link[link.index("/portal/") :]


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


@pytest.mark.parametrize("language", ["en", "de", "fr", "es"])
@pytest.mark.parametrize("kind", ["acknowledgement", "reply", "status_changed"])
def test_the_mail_and_the_page_say_until_when_the_link_works(
    client, settings, kind: str, language: str
) -> None:
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
        mailbox=mailbox(),
        kind="reply",
        subject="Re",
        body="{{message}} {{link}} till {{link_until}}",
    )
    ticket = a_ticket()
    actions.reply(ticket, Content(text="Turn it off"), actor=agent())
    until = date_format(
        timezone.localtime() + timedelta(days=settings.TICKET_LINK_DAYS), "DATE_FORMAT"
    )
    assert f"till {until}" in OutboundMail.objects.get(kind="reply").text


@pytest.mark.parametrize("who", ["customer", "staff"])
def test_links_are_ended_by_the_customer_for_themselves_and_by_staff_for_all(
    client, who: str
) -> None:
    ticket, dan = a_ticket(), customer("dan@example.net", "Dan")
    actions.add_participant(ticket, dan, "cc", source="agent", actor=agent())
    elsewhere = a_ticket()
    links = {
        name: path(ticket_link(row, person))
        for name, row, person in (
            ("cleo's", ticket, customer()),
            ("dan's", ticket, dan),
            ("another ticket's", elsewhere, customer()),
        )
    }
    assert [client.get(link).status_code for link in links.values()] == [200] * 3
    client.force_login(
        customer() if who == "customer" else agent(), backend="helpdesk.auth.EmailBackend"
    )
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
        (customer("dan@example.net", "Dan"), "portal"),
        (customer(), "admin"),
        (None, "portal"),
        (None, "admin"),
    ):
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
