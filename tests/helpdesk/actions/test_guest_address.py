"""The guest form, from the side of who types somebody else's address into it, and of whose address
it is."""

import re
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from helpdesk import actions
from helpdesk.actions import Content, codes
from helpdesk.models import MailTemplate, OutboundMail, Participant, Person, PersonAddress, Ticket
from helpdesk.outbound.links import ticket_link
from inbound.addresses import reply_address
from inbound.models import Mailbox
from tests.support.api import Api, said
from tests.support.mail import agent, customer, deliver_all, eml, mailbox, receive

pytestmark = pytest.mark.django_db

GUS = "gus@example.org"
WORDS = {
    "name": "Cheap-Pills Name",
    "title": "Cheap-Pills Title",
    "description": "Cheap-Pills text https://evil.example",
}


@pytest.fixture(autouse=True)
def _no_counts_yet(settings) -> None:
    cache.clear()
    settings.REQUESTS_A_MINUTE = settings.SIGN_INS_A_MINUTE = 1000
    mailbox()


def by_the_portal(email: str) -> int:
    """302: it is with us; 200: asked again."""
    return int(Client().post("/portal/new/", {**WORDS, "email": email}).status_code)


def by_the_api(email: str) -> int:
    return int(Api()("POST", "/add/", {**WORDS, "email": email}).status_code)


WAYS: dict[str, Any] = {"portal": by_the_portal, "API": by_the_api}


def guest_ticket(email: str = GUS) -> Ticket:
    assert by_the_api(email) == 201
    return Ticket.objects.latest("pk")


def mailed() -> str:
    """All that customers are mailed, with every header, and all that is in the rows."""
    rows = OutboundMail.objects.exclude(person__role__in=["agent", "admin"])
    kept = "".join(f"{row.subject}{row.text}{row.html}{row.to_name}" for row in rows)
    OutboundMail.objects.filter(person__role__in=["agent", "admin"]).delete()
    return kept + "".join(
        raw.replace(b"=\r\n", b"").replace(b"=\n", b"").decode() for raw in deliver_all()
    )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "whose",
    ["an agent's", "an admin's", "a former agent's", "a further one of an agent's", "a mailbox's"],
)
def test_nobody_writes_under_an_address_of_ours(way: str, whose: str) -> None:
    role = "admin" if "admin" in whose else "agent"
    ada = Person.objects.create_user("ada@example.com", role=role, is_active="former" not in whose)
    PersonAddress.objects.create(person=ada, address="ada@home.example")
    address = {"a further": "ADA@home.example", "a mailbox": "Support+x@example.com"}.get(
        whose[:9], "Ada@example.com"
    )
    assert WAYS[way](address) == {"portal": 200, "API": 400}[way]
    assert not Ticket.objects.exists()
    assert not OutboundMail.objects.exists()


def test_what_is_said_names_the_field_and_nobodys_role() -> None:
    agent()
    answer = Api()("POST", "/add/", {**WORDS, "email": "ada@example.com"})
    assert said(answer) == (400, "refused", "email")
    assert "This address can't be used here. Sign in instead." in answer.content.decode()
    page = Client().post(
        "/portal/new/", {**WORDS, "email": "ada@example.com"}, headers={"accept-language": "de"}
    )
    assert "Melden Sie sich stattdessen an" in page.content.decode()
    assert "Agent" not in page.content.decode()


@pytest.mark.parametrize("who", ["somebody new", "a customer", "a nameless customer"])
def test_mail_to_an_address_that_nobody_verified_has_none_of_the_forms_words(who: str) -> None:
    """Or we'd be a relay for anybody's words to anybody's mailbox."""
    if who != "somebody new":
        Person.objects.create_user(GUS, name="Gus" if who == "a customer" else "")
    box = Mailbox.objects.get()
    ticket = guest_ticket()
    actions.reply(ticket, Content(text="We look into it"), actor=agent())
    actions.set_status(ticket, "resolved", actor=agent())
    Client().post("/portal/sign-in/", {"email": GUS})  # a code, with a greeting
    Api()("POST", "/auth/users/reset_password/", {"email": GUS})
    for kind in ("acknowledgement", "reply", "status_changed"):
        text = "{{customer}} {{subject}} {{message}} {{number}}"
        MailTemplate.objects.create(mailbox=box, kind=kind, subject=text, body=text)
    actions.set_status(ticket, "open", actor=agent())
    actions.reply(ticket, Content(text="We have found it"), actor=agent())
    actions.set_status(ticket, "resolved", actor=agent())
    guest_ticket()
    kinds = OutboundMail.objects.filter(to_address=GUS).values_list("kind", flat=True)
    assert (
        sorted(kinds)
        == ["acknowledgement"] * 2
        + ["code", "password_reset"]
        + ["reply"] * 2
        + ["status_changed"] * 2
    )
    found = mailed()
    assert "Cheap-Pills" not in found
    assert "evil.example" not in found
    assert "We look into it" in found
    assert "We have found it" in found
    assert f"#{ticket.pk}" in found


@pytest.mark.parametrize("language", ["de", "fr", "es", "en"])
def test_the_first_mail_says_in_their_language_that_it_can_be_ignored(language: str) -> None:
    Person.objects.create_user(GUS, language=language)
    guest_ticket()
    mail = OutboundMail.objects.get()
    words = {"de": "ignorieren", "fr": "ignorer", "es": "ignorar", "en": "ignore"}[language]
    assert words in mail.text
    assert words in mail.html
    assert "/portal/link/" in mail.text


def test_staff_read_that_the_address_is_not_verified_and_what_was_typed() -> None:
    ticket, ada, client = guest_ticket(customer("cleo@example.net").email), agent(), Client()
    other = actions.open_ticket(
        actions.NewTicket(
            requester=customer(),
            mailbox=mailbox(),
            subject="Mine",
            content=Content(text="x"),
            via="portal",
            actor=None,
        )
    )[0]
    client.force_login(ada)
    page = client.get(f"/admin/tickets/{ticket.pk}/").content.decode()
    assert "Address not verified" in page
    assert "Cheap-Pills Name" in page
    assert "Address not verified" not in client.get(f"/admin/tickets/{other.pk}/").content.decode()
    assert Api(ada)("GET", f"/api/tickets/{ticket.pk}/").json()["address_verified"] is False
    rows = {
        row["id"]: row["address_verified"] for row in Api(ada)("GET", "/tickets/").json()["results"]
    }
    assert rows == {ticket.pk: False, other.pk: True}


def is_verified(ticket: Ticket) -> bool:
    return Api(agent())("GET", f"/api/tickets/{ticket.pk}/").json()["address_verified"] is True


def path_of(ticket: Ticket) -> str:
    link = ticket_link(ticket, ticket.requester)
    return link[link.index("/portal/") :]


def test_following_the_link_and_saying_so_verifies_it_and_what_fetches_links_does_not() -> None:
    ticket, client = guest_ticket(), Client(enforce_csrf_checks=True)
    for _ in range(2):
        page = client.get(path_of(ticket)).content.decode()
    assert "Yes, this is my request" in page
    assert client.get(path_of(ticket) + "confirm/").status_code == 405
    assert not is_verified(ticket)
    csrf = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert csrf is not None
    answer = client.post(path_of(ticket) + "confirm/", {"csrfmiddlewaretoken": csrf[1]})
    assert answer.url == path_of(ticket)
    assert is_verified(ticket)
    assert "Yes, this is my request" not in client.get(path_of(ticket)).content.decode()
    ticket.refresh_from_db()
    assert ticket.requester.name == "Cheap-Pills Name"
    actions.reply(ticket, Content(text="Done"), actor=agent())
    mail = OutboundMail.objects.get(kind="reply")
    assert (mail.subject, mail.to_name) == ("Re: Cheap-Pills Title", "Cheap-Pills Name")
    assert "Cheap-Pills text" in mail.text


def test_a_link_of_another_ticket_or_reader_verifies_nothing() -> None:
    ticket, other = guest_ticket(), guest_ticket("olga@example.org")
    dan = customer("dan@example.net", "Dan")
    actions.add_participant(ticket, dan, Participant.Role.CC, source="agent", actor=agent())
    assert Client().post(path_of(other) + "confirm/").status_code == 302
    link = ticket_link(ticket, dan)
    assert Client().post(link[link.index("/portal/") :] + "confirm/").status_code == 404
    signed_in = Client()
    signed_in.force_login(dan)
    assert signed_in.post(f"/portal/tickets/{ticket.pk}/confirm/").status_code == 404
    assert signed_in.post(f"/portal/tickets/{other.pk}/confirm/").status_code == 404
    actions.customer_comment(ticket, dan, Content(text="I say so"), via="portal")
    assert not is_verified(ticket)
    assert is_verified(other)


def test_an_answer_by_mail_verifies_it_and_what_answers_by_itself_does_not() -> None:
    ticket = guest_ticket()
    to = reply_address("support@example.com", ticket.pk, ticket.requester.pk)
    receive(
        eml("I am away", sender=GUS, to=to, auto_submitted="auto-replied"), rcpt=to, mail_from=GUS
    )
    assert not is_verified(ticket)
    receive(
        eml("Hello", sender=GUS), mail_from=GUS
    )  # anybody can write that into From, without our address
    assert not is_verified(ticket)
    receive(eml("It smokes still", sender=GUS, to=to), rcpt=to, mail_from=GUS)
    assert ticket.comments.count() == 3
    assert is_verified(ticket)
    ticket.requester.refresh_from_db()
    assert ticket.requester.name == ""  # they have not said that it is theirs


def test_signing_in_verifies_no_request_that_somebody_else_may_have_typed_but_writing_in_it_does() -> (
    None
):
    """Customers sign in for their own affairs: that says nothing of what somebody else has typed."""
    cleo, client = customer(), Client()
    ticket, second = guest_ticket(cleo.email), guest_ticket(cleo.email)
    codes.send_code("sign-in", cleo.email, asker="x", client="192.0.2.1")
    client.force_login(cleo)
    assert "Yes, this is my request" in client.get(f"/portal/tickets/{ticket.pk}/").content.decode()
    assert not is_verified(ticket)
    client.post(f"/portal/tickets/{ticket.pk}/reply/", {"body": "It is still broken"})
    assert is_verified(ticket)
    assert not is_verified(second)
    assert (
        client.post(f"/portal/tickets/{second.pk}/confirm/").url == f"/portal/tickets/{second.pk}/"
    )
    assert is_verified(second)
    cleo.refresh_from_db()
    assert cleo.name == "Cleo"


def test_a_request_of_somebody_signed_in_is_theirs() -> None:
    cleo, client = customer(), Client()
    client.force_login(cleo)
    client.post("/portal/new/", {"title": "Mine", "description": "x", "priority": "2"})
    assert is_verified(Ticket.objects.get())
    assert OutboundMail.objects.get(kind="acknowledgement").subject == "Re: Mine"
