"""The guest form: anybody writes, nobody learns anything, and nobody already known is changed by
it."""

from typing import Any

import pytest
from django.core.cache import cache

from helpdesk.models import Attempt, CustomField, OutboundMail, Person, PersonAddress, Ticket
from tests.support.api import PNG, Api, a_file, said
from tests.support.mail import agent, customer, deliver_all, mailbox

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_counts_yet(settings) -> None:
    cache.clear()
    settings.REQUESTS_A_MINUTE = settings.SIGN_INS_A_MINUTE = 1000
    mailbox()


def add(email: str = "gus@example.org", address: str = "127.0.0.1", **changes: Any) -> Any:
    body = {"name": "Gus", "email": email, "description": "The printer\nsmokes", **changes}
    return Api(address=address)("POST", "/add", body)


def test_a_guests_words_are_a_ticket_that_is_acknowledged_by_mail() -> None:
    answer = add()
    assert (answer.status_code, answer.json()["status"]) == (201, "open")
    ticket = Ticket.objects.get(pk=answer.json()["id"])
    assert (ticket.subject, ticket.requester.email, ticket.guest_name) == (
        "The printer",
        "gus@example.org",
        "Gus",
    )
    (mail,) = deliver_all()
    assert b"gus@example.org" in mail
    assert b"X-Helpdesk-Mail: acknowledgement" in mail
    given = {
        "name": "Gus",
        "email": "gus@example.org",
        "description": "x",
        "title": "Mine",
        "file": a_file(PNG),
    }
    found = Ticket.objects.get(pk=Api().upload("/add/", given).json()["id"])
    assert (found.subject, found.comments.get().attachments.count()) == ("Mine", 1)


@pytest.mark.parametrize("who", ["nobody", "by mail only", "registered", "switched off"])
def test_the_answer_is_the_same_whoever_has_the_address_and_they_are_not_changed(who: str) -> None:
    CustomField.objects.create(slug="margin", label="Margin", for_customers=False, is_required=True)
    email, name = "gus@example.org", "" if who == "by mail only" else "August"
    if who != "nobody":
        password = "a long phrase of mine" if who != "by mail only" else None
        Person.objects.create_user(email, password, name=name, is_active=who != "switched off")
    before = list(Person.objects.values())
    answer = add("Gus@Example.org", name="Mallory")
    assert {**answer.json(), "id": 0} == {
        "id": 0,
        "status": "open",
        "message": "Thank you. An acknowledgement is on its way by mail.",
    }
    assert answer.status_code == 201
    assert list(Person.objects.values()) == before or who == "nobody"


def test_a_further_address_of_somebody_does_not_name_them() -> None:
    nameless = customer("cleo@example.net", "")
    PersonAddress.objects.create(person=nameless, address="cleo@work.example")
    assert add("cleo@work.example", name="Mallory").status_code == 201
    nameless.refresh_from_db()
    assert (nameless.name, Person.objects.count()) == ("", 1)


def test_what_is_required_of_customers_is_asked_of_guests_alike_and_can_be_given() -> None:
    CustomField.objects.create(slug="serial", label="Serial", is_required=True)
    assert said(add())[2] == "custom_fields.serial"
    assert add(custom_fields={"serial": "A1"}).status_code == 201
    assert Ticket.objects.latest("pk").custom == {"serial": "A1"}


def test_a_token_that_comes_along_makes_no_difference() -> None:
    ada = Api(agent())
    body = {
        "name": "Gus",
        "email": "gus@example.org",
        "description": "x",
        "tags": ["vip"],
        "priority": "urgent",
    }
    ticket = Ticket.objects.get(pk=ada("POST", "/add/", body).json()["id"])
    assert (ticket.requester.email, ticket.priority, ticket.tags.count()) == (
        "gus@example.org",
        2,
        0,
    )
    assert Api(token="nonsense")("POST", "/add/", body).status_code == 201


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"email": "gus"}, "email"),
        ({"email": "a@b.example\r\nBcc: c@d.example"}, "email"),
        ({"description": " "}, "description"),
        ({"name": "x" * 201}, "name"),
        ({"email": f"{'x' * 250}@example.org"}, "email"),
        ({"description": None}, "description"),
        ({"title": "x" * 501}, "title"),
    ],
)
def test_what_is_wrong_is_named_and_makes_nobody(changes: dict[str, Any], field: str) -> None:
    assert said(add(**changes))[::2] == (400, field)
    assert (Person.objects.count(), Ticket.objects.count(), OutboundMail.objects.count()) == (
        0,
        0,
        0,
    )


def test_guests_are_throttled_by_address_and_by_client() -> None:
    statuses = [add(address=f"198.51.100.{number}").status_code for number in range(12)]
    assert statuses == [201] * 10 + [429] * 2
    answer = add(address="198.51.100.99")
    assert said(answer)[:2] == (429, "throttled")
    assert int(answer["Retry-After"]) > 60
    statuses = [add(f"g{number}@example.org", "2001:db8::1").status_code for number in range(20)]
    assert set(statuses) == {201}
    assert add("g@example.org", "2001:db8::2").status_code == 429  # the same /64
    assert add("g@example.org", "2001:db8:1::1").status_code == 201


def test_attempts_that_fail_count_as_well() -> None:
    before = Attempt.objects.count()
    given = {
        "name": "Gus",
        "email": "gus@example.org",
        "description": "x",
        "file": a_file(b"nonsense"),
    }
    assert Api().upload("/add/", given).status_code == 400
    assert Attempt.objects.count() > before


def test_acknowledgements_to_one_address_are_capped(settings) -> None:
    settings.AUTOMATIC_MAILS_PER_ADDRESS = 3
    for number in range(6):
        add(address=f"198.51.100.{number}")
    deliver_all()
    assert Ticket.objects.count() == 6
    assert OutboundMail.objects.filter(kind="acknowledgement", state="sent").count() == 3
