"""Support PINs, from the side of a customer whose agent means no good."""

import html
import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone, translation
from django.utils.formats import date_format

from helpdesk import access, actions
from helpdesk.actions import Content, Refused, pins
from helpdesk.history import describe
from helpdesk.models import Identity, OutboundMail, Person, PersonAddress, SupportPin, Team, Ticket
from tests.support.api import PNG, Api, a_file, a_ticket, admin
from tests.support.mail import SUPPORT, agent, customer, deliver_all, mailbox, receive

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_counts_yet")]


def issued(person: Person | None = None, actor: Person | None = None, **more: Any) -> str:
    mailbox()
    return pins.issue_pin(person or customer(), actor=actor or agent(), **more)


def signed_in_by(pin: str) -> Client:
    client = Client()
    assert client.post("/portal/sign-in/pin/", {"pin": pin}).status_code == 302
    return client


def link_in(mail: OutboundMail) -> str:
    found = re.search(r"https?://[^/\s]+(/portal/pin/\S+)", mail.text)
    assert found is not None
    assert found[1] in mail.html
    return found[1]


# --- The customer is told


@pytest.mark.parametrize("language", ["en", "de", "fr", "es"])
def test_a_customer_is_told_who_issued_a_pin_and_when_and_again_when_it_is_used(
    language: str,
) -> None:
    actions.choose_mail(customer(), muted=[], language=language)
    pin = issued()
    with translation.override(language):
        today = date_format(timezone.localtime(), "DATE_FORMAT")
    assert [mail.kind for mail in OutboundMail.objects.all()] == ["pin_issued"]
    pins.take_pin(pin, client="192.0.2.1")
    for mail in OutboundMail.objects.order_by("pk"):
        assert mail.kind in {"pin_issued", "pin_used"}
        assert mail.to_address == "cleo@example.net"
        for words in (mail.text, html.unescape(mail.html)):
            assert "Ada" in words
            assert today in words
            assert pin not in words
            assert pin.replace("-", "") not in words
        assert "Example Support" in mail.subject
        link_in(mail)
    assert len(deliver_all()) == 2


def test_a_customer_cannot_be_kept_from_being_told(settings) -> None:
    """Not by muting it in their name, nor by the cap on what comes by itself."""
    settings.AUTOMATIC_MAILS_PER_ADDRESS = 0
    actions.choose_mail(customer(), muted=["pin_issued", "pin_used"])
    pins.take_pin(issued(), client="192.0.2.1")
    assert list(OutboundMail.objects.order_by("pk").values_list("kind", "state")) == [
        ("pin_issued", "queued"),
        ("pin_used", "queued"),
    ]


def test_an_answer_to_the_mail_about_a_pin_is_a_ticket_of_its_own() -> None:
    """Not one more comment for the agent whom it is about."""
    ticket = a_ticket()
    issued(ticket=ticket)
    mail = OutboundMail.objects.get(kind="pin_issued")
    assert mail.ticket is None
    answer = f"From: cleo@example.net\nTo: {SUPPORT}\nSubject: Re\nIn-Reply-To: <{mail.message_id}>\n\nIt was not me"
    assert receive(answer.encode()).ticket_number not in {None, ticket.pk}


def test_a_mailbox_that_does_not_name_its_agents_does_not_name_them_here() -> None:
    Identity.objects.create(mailbox=mailbox(), shows_agent=False)
    issued()
    assert "Ada" not in OutboundMail.objects.get().text
    assert "Example Support issued" in OutboundMail.objects.get().text


# --- And can end it


@pytest.mark.parametrize("when", ["issued", "used"])
def test_the_link_in_the_mail_ends_the_pin_its_sessions_and_its_tokens(client, when: str) -> None:
    ticket = a_ticket()
    pin = issued(ticket=ticket)
    if when == "used":
        pair = Api()("POST", "/api/users/login/", {"pin": pin}).json()
        session = signed_in_by(issued(ticket=ticket))
        assert session.get("/portal/").status_code == 200
    for mail in OutboundMail.objects.filter(kind=f"pin_{when}"):
        page = client.get(link_in(mail))
        assert page.status_code == 200
        assert SupportPin.objects.filter(revoked_at=None).exists()  # it asks first
        assert client.post(link_in(mail)).status_code == 200
        assert "nothing any more" in client.get(link_in(mail)).content.decode()
    assert "ended the PIN that Ada issued" in describe(ticket.events.filter(kind="pin-ended")[0])
    if when == "issued":
        with pytest.raises(Refused):
            pins.take_pin(pin, client="192.0.2.1")
        return
    assert session.get("/portal/").status_code == 302
    assert Api(token=pair["access"])("GET", "/api/tickets/").status_code == 401
    assert Api()("POST", "/api/token/refresh/", {"refresh": pair["refresh"]}).status_code == 401


def test_a_forged_link_ends_nothing(client) -> None:
    issued()
    link = link_in(OutboundMail.objects.get())
    assert client.post(link[:-6] + "AAAAA/").status_code == 404
    assert SupportPin.objects.filter(revoked_at=None).exists()


# --- What it opens


@pytest.fixture
def apart(settings) -> tuple[Ticket, Ticket, Person]:
    """Cleo's tickets of support and of sales; Bob is of sales."""
    settings.AGENTS_SEE = "teams"
    bob, tickets = agent("Bob"), {name: a_ticket(f"About {name}") for name in ("support", "sales")}
    for name, ticket in tickets.items():
        Api(customer()).upload(
            f"/api/tickets/{ticket.pk}/comments/", {"body": name, "file": a_file(PNG)}
        )
        actions.set_team(ticket, Team.objects.create(name=name), actor=None)
    Team.objects.get(name="sales").members.add(bob)
    return tickets["support"], tickets["sales"], bob


def test_whoever_a_pin_lets_in_sees_what_its_issuer_sees(apart) -> None:
    hidden, seen, bob = apart
    session = signed_in_by(issued(actor=bob))
    pair = Api()("POST", "/api/users/login/", {"pin": issued(actor=bob)}).json()
    api = Api(
        token=Api()("POST", "/api/token/refresh/", {"refresh": pair["refresh"]}).json()["access"]
    )

    def sights() -> list[set[int]]:
        return [
            {row["id"] for row in api("GET", "/api/tickets/").json()["results"]},
            {
                row["id"]
                for row in api("GET", f"/profiles/{customer().pk}/tickets/").json()["results"]
            },
            {row["id"] for row in api("GET", "/api/tickets/?search=about").json()["results"]},
            {
                int(pk)
                for pk in re.findall(
                    r'/portal/tickets/(\d+)/"', session.get("/portal/").content.decode()
                )
            },
            {row["id"] for row in session.get("/api/tickets/").json()["results"]},
            {
                ticket.pk
                for ticket in (hidden, seen)
                if session.get(f"/portal/tickets/{ticket.pk}/").status_code == 200
            },
            {
                ticket.pk
                for ticket in (hidden, seen)
                if api("GET", f"/tickets/{ticket.pk}/").status_code == 200
            },
        ]

    def file_of(ticket: Ticket) -> int:
        item = ticket.comments.order_by("-pk")[0].attachments.get()
        return int(session.get(f"/portal/files/{item.pk}/").status_code)

    assert sights() == [{seen.pk}] * 7
    assert (file_of(hidden), file_of(seen)) == (404, 200)
    for path in ("reply", "rate", "withdraw", "links"):
        assert (
            session.post(f"/portal/tickets/{hidden.pk}/{path}/", {"body": "x"}).status_code == 404
        )
    assert api("PATCH", f"/api/tickets/{hidden.pk}/", {"title": "x"}).status_code == 404
    bob.teams.set(Team.objects.all())
    assert sights() == [{seen.pk, hidden.pk}] * 7
    bob.teams.clear()
    assert sights() == [set()] * 7
    bob.teams.set(Team.objects.all())
    # Of who is of the staff no more, it opens nothing at all.
    unused = issued(actor=bob)
    for change, back in (
        ({"is_active": False}, {"is_active": True}),
        ({"role": "user"}, {"role": "agent"}),
    ):
        Person.objects.filter(pk=bob.pk).update(**change)
        with pytest.raises(Refused):
            pins.take_pin(unused, client="192.0.2.9")
        Person.objects.filter(pk=bob.pk).update(**back)
    Person.objects.filter(pk=bob.pk).update(is_active=False)
    assert api("GET", "/api/tickets/").status_code == 401
    assert session.get("/portal/").status_code == 302


def test_a_code_shows_all_again_in_the_same_browser(apart) -> None:
    from tests.support.portal import the_code

    hidden, _, bob = apart
    session = signed_in_by(issued(actor=bob))
    session.post("/portal/sign-in/", {"email": "cleo@example.net"})
    session.post("/portal/sign-in/code/", {"code": the_code()})
    assert session.get(f"/portal/tickets/{hidden.pk}/").status_code == 200


def test_what_is_opened_where_the_issuer_does_not_see_it_is_thanked_for(apart) -> None:
    *_, bob = apart
    Team.objects.get(name="support").mailboxes.add(mailbox())
    session = signed_in_by(issued(actor=bob))
    answer = session.post("/portal/new/", {"title": "x", "description": "y", "priority": "2"})
    assert answer.url == "/portal/thanks/"
    assert Ticket.objects.filter(subject="x").exists()


def test_where_agents_see_all_a_pin_shows_all(client) -> None:
    ticket = a_ticket()
    assert signed_in_by(issued()).get(f"/portal/tickets/{ticket.pk}/").status_code == 200


# --- For whom


@pytest.mark.parametrize(
    "who", ["agent", "admin", "once an agent", "of a staff address", "of a mailbox", "switched off"]
)
def test_nobody_of_staff_is_let_in_by_a_pin(who: str) -> None:
    person = customer()
    pin = issued(person)
    if who in {"agent", "admin"}:
        Person.objects.filter(pk=person.pk).update(role=who)
    elif who == "once an agent":
        Person.objects.filter(pk=person.pk).update(role="agent", is_active=False)
    elif who == "switched off":
        Person.objects.filter(pk=person.pk).update(is_active=False)
    else:
        PersonAddress.objects.create(
            person=person, address=SUPPORT if who == "of a mailbox" else agent("Bob").email
        )
    with pytest.raises(Refused):
        pins.take_pin(pin, client="192.0.2.1")
    with pytest.raises(Refused):
        pins.issue_pin(Person.objects.get(pk=person.pk), actor=admin())


@pytest.mark.parametrize("role", ["agent", "admin"])
def test_whoever_came_in_as_a_customer_does_not_become_staff_with_the_account(role: str) -> None:
    ticket = a_ticket()
    session = signed_in_by(issued())
    pair = Api()("POST", "/api/users/login/", {"pin": issued()}).json()
    Person.objects.filter(email="cleo@example.net").update(role=role)
    answer = session.get(f"/admin/tickets/{ticket.pk}/")
    assert answer.status_code == 302
    assert "/admin/login/" in answer.url
    assert Api(token=pair["access"])("GET", "/api/tickets/").status_code == 401


def test_an_agent_issues_no_pin_on_a_ticket_that_is_not_theirs_to_see(apart) -> None:
    hidden, seen, bob = apart
    client = Client()
    client.force_login(bob, backend="helpdesk.auth.EmailBackend")
    assert client.post(f"/admin/tickets/{hidden.pk}/pin/").status_code == 404
    assert client.post(f"/admin/tickets/{seen.pk}/pin/").status_code == 302
    assert SupportPin.objects.get().ticket == seen


# --- What is left of it


def test_admins_read_who_issued_which_pin_for_whom_and_when_it_was_used(client) -> None:
    ticket = a_ticket()
    pin = issued(ticket=ticket, actor=agent())
    pins.take_pin(pin, client="192.0.2.77")
    assert [
        (event.kind, str(event.actor))
        for event in ticket.events.filter(kind__startswith="pin").order_by("pk")
    ] == [
        ("pin-issued", "Ada"),
        ("pin-used", "Cleo"),
    ]
    for person, status in ((admin(), 200), (agent(), 403)):
        client.force_login(person, backend="helpdesk.auth.EmailBackend")
        page = client.get("/admin/helpdesk/supportpin/")
        assert page.status_code == status
    client.force_login(admin(), backend="helpdesk.auth.EmailBackend")
    words = client.get("/admin/helpdesk/supportpin/").content.decode()
    for word in ("Ada", "Cleo", f"#{ticket.pk}", "192.0.2.77"):
        assert word in words
    row = SupportPin.objects.get()
    detail = client.get(f"/admin/helpdesk/supportpin/{row.pk}/change/").content.decode()
    assert row.pin_hmac not in words + detail
    assert "/admin/helpdesk/supportpin/" in client.get("/admin/tickets/").content.decode()
    assert (
        client.post(f"/admin/helpdesk/supportpin/{row.pk}/delete/", {"post": "yes"}).status_code
        == 403
    )


def test_customers_do_not_read_in_the_history_how_staff_let_others_in() -> None:
    ticket = a_ticket()
    issued(ticket=ticket)
    actions.note(ticket, Content(text="x"), actor=agent())
    assert [event.kind for event in access.events(customer(), ticket)] == ["opened"]
