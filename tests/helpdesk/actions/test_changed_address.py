"""What a person gave up, from the side of whoever reads it now: an address, a password, a sign-in
from before."""

import pytest
from django.core.cache import cache
from django.test import Client

from helpdesk import actions, participants
from helpdesk.actions import Content, Refused, pins
from helpdesk.api import tokens
from helpdesk.models import EmailCode, OutboundMail, Person, PersonAddress, SupportPin
from helpdesk.outbound.links import ticket_link
from tests.support.api import Api, a_ticket, last_secret, said
from tests.support.mail import agent, customer, eml, mailbox, receive, ticket_of

pytestmark = pytest.mark.django_db

OLD, NEW, PHRASE = "cleo@example.net", "cleo@new.example", "a long phrase of mine"


@pytest.fixture(autouse=True)
def _no_counts_yet(settings) -> None:
    cache.clear()
    settings.REQUESTS_A_MINUTE = settings.SIGN_INS_A_MINUTE = 1000
    mailbox()


def cleo_with_a_password() -> Person:
    return Person.objects.create_user(OLD, PHRASE, name="Cleo")


def change(person: Person, address: str = NEW) -> None:
    """As the portal does it, with both codes."""
    client = Client()
    client.force_login(person)
    change_at(client, address)
    person.refresh_from_db()
    assert person.email == address


def change_at(client: Client, address: str = NEW) -> None:
    before = OutboundMail.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    client.post("/portal/me/address/", {"email": address})
    given = {}
    for mail in OutboundMail.objects.filter(kind="code", pk__gt=before):
        given["verification" if mail.to_address == address else "confirmation"] = last_secret(
            r"^ +(\d{6})$", mail
        )
    assert client.post("/portal/me/address/", given).status_code == 302


def test_the_old_address_signs_nobody_in_by_password_code_or_reset() -> None:
    cleo = cleo_with_a_password()
    change(cleo)
    assert said(Api()("POST", "/auth/jwt/create/", {"email": OLD, "password": PHRASE}))[0] == 401
    assert said(Api()("POST", "/login", {"email": OLD, "password": PHRASE}))[0] == 401
    OutboundMail.objects.all().delete()
    Client().post("/portal/sign-in/", {"email": OLD})
    Api()("POST", "/auth/users/reset_password/", {"email": OLD})
    Client().post("/admin/password-reset/", {"email": OLD})
    assert not OutboundMail.objects.filter(state="queued").exists()
    assert Api()("POST", "/login", {"email": NEW, "password": PHRASE}).status_code == 200


def test_a_code_that_was_on_its_way_to_the_old_address_is_worth_nothing_after_the_change() -> None:
    cleo, other = customer(), Client()
    other.post("/portal/sign-in/", {"email": OLD})
    code = last_secret(r"^ +(\d{6})$")
    change(cleo)
    assert other.post("/portal/sign-in/code/", {"code": code}).status_code == 200
    assert "_auth_user_id" not in other.session


def test_who_reads_the_old_address_now_registers_nothing_with_it() -> None:
    cleo = customer()
    change(cleo)
    Api()("POST", "/api/send_otp/", {"email": OLD})
    answer = Api()("POST", "/api/verify_otp/", {"email": OLD, "otp": last_secret(r"^ +(\d{6})$")})
    form = {
        "email": OLD,
        "password": PHRASE,
        "re_password": PHRASE,
        "verification": answer.json()["verification"],
    }
    assert said(Api()("POST", "/auth/users/", form)) == (400, "refused", "email")
    cleo.refresh_from_db()
    assert not cleo.has_usable_password()


def test_mail_from_the_old_address_is_still_heard_and_what_we_say_goes_to_the_new_one() -> None:
    ticket = ticket_of(receive(eml("It smokes", message_id="a@x")))
    cleo = ticket.requester
    change(cleo)
    row = receive(eml("And burns", sender=f"Cleo <{OLD}>", in_reply_to="<a@x>", message_id="b@x"))
    assert ticket_of(row) == ticket
    assert ticket.comments.filter(visibility="public", author=cleo).count() == 2
    OutboundMail.objects.all().delete()
    actions.reply(ticket, Content(text="SECRET"), actor=agent())
    new = ticket_of(receive(eml("Something else", sender=f"Cleo <{OLD}>", subject="New")))
    actions.reply(new, Content(text="SECRET"), actor=agent())
    assert {mail.to_address for mail in OutboundMail.objects.filter(person=cleo)} == {NEW}
    assert [row.reply_to for row in participants.readers(ticket)] == [NEW]


def test_links_pins_sessions_and_tokens_from_before_end_with_the_address(client) -> None:
    ticket = a_ticket()
    cleo = ticket.requester
    link, pin = ticket_link(ticket, cleo), pins.issue_pin(cleo, actor=agent())
    path = link[link.index("/portal/") :]
    assert client.get(path).status_code == 200
    elsewhere, here = Client(), Client()
    for found in (elsewhere, here):
        found.force_login(cleo)
    pair = tokens.issue(cleo)
    change_at(here)
    cleo.refresh_from_db()
    assert client.get(path).status_code == 404
    with pytest.raises(Refused):
        pins.take_pin(pin, client="192.0.2.1")
    assert SupportPin.objects.get().revoked_at
    assert elsewhere.get("/portal/").status_code == 302
    assert here.get("/portal/").status_code == 200  # who changed it goes on
    assert said(Api(token=pair["access"])("GET", "/api/tickets/"))[0] == 401
    assert said(Api()("POST", "/auth/jwt/refresh/", {"refresh": pair["refresh"]}))[0] == 401


def test_a_new_password_ends_the_sessions_on_the_pages_but_the_one_that_asked() -> None:
    cleo = cleo_with_a_password()
    elsewhere, here = Client(), Client()
    for found in (elsewhere, here):
        found.force_login(cleo)
    body = {"current_password": PHRASE, "new_password": "another long phrase"}
    answer = here.post("/auth/users/set_password/", body, content_type="application/json")
    assert answer.status_code == 200
    assert elsewhere.get("/portal/").status_code == 302
    assert here.get("/portal/").status_code == 200


def test_a_customers_session_is_no_agents_after_they_are_made_one() -> None:
    cleo, client = customer(), Client()
    client.force_login(cleo)
    Person.objects.filter(pk=cleo.pk).update(role="admin")
    assert client.get("/admin/tickets/").status_code == 302


def test_an_address_that_an_agent_added_gets_answers_and_lets_nobody_in() -> None:
    """From is whatever its sender typed: with one click of an agent a stranger would have all
    tickets."""
    cleo = customer()
    PersonAddress.objects.create(person=cleo, address="cleo@work.example")
    Client().post("/portal/sign-in/", {"email": "cleo@work.example"})
    assert [mail.state for mail in OutboundMail.objects.all()] == ["cancelled"]
    ticket = ticket_of(receive(eml("Hello", sender="cleo@work.example")))
    assert ticket.requester == cleo
    assert [row.reply_to for row in participants.readers(ticket)] == ["cleo@work.example"]
    PersonAddress.objects.update(may_sign_in=True)
    Client().post("/portal/sign-in/", {"email": "cleo@work.example"})
    assert OutboundMail.objects.filter(kind="code", state="queued").count() == 1
    assert EmailCode.objects.count() == 2


def test_who_comes_back_to_an_address_that_they_gave_up_has_it_again() -> None:
    cleo = customer()
    change(cleo)
    change(cleo, OLD)
    assert list(PersonAddress.objects.values_list("address", flat=True)) == [NEW]
    Client().post("/portal/sign-in/", {"email": OLD})
    assert OutboundMail.objects.filter(kind="code", to_address=OLD, state="queued").exists()
