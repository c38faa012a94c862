"""Signing in with a password or a PIN, from the side of whoever must not get in."""

import pytest
from django.db import OperationalError

from helpdesk.actions import pins
from helpdesk.api import tokens
from helpdesk.models import (
    Person,
    SupportPin,
)
from tests.support.accounts import PHRASE, is_taken, member, pair
from tests.support.api import Api, a_ticket, said
from tests.support.mail import agent, customer, mailbox

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("many_may_sign_in")]


def test_signing_in_by_password_whatever_the_case_of_the_address() -> None:
    member(name="Cleo Brandt", username="cleo")
    answer = Api()("POST", "/login", {"email": " CLEO@example.net", "password": PHRASE})
    assert answer.status_code == 200
    assert set(answer.json()) == {"access", "refresh", "profile"}
    profile = Api(token=answer.json()["access"])("GET", "/login").json()
    assert profile == answer.json()["profile"]
    assert (profile["first_name"], profile["last_name"], profile["username"]) == (
        "Cleo",
        "Brandt",
        "cleo",
    )
    assert "password" not in profile


def test_what_is_wrong_with_the_credentials_is_not_said() -> None:
    member(), member("off@example.net", is_active=False), customer("mail@example.net", "Mail")
    answers = [
        Api()("POST", "/auth/jwt/create/", {"email": email, "password": password})
        for email, password in (
            ("cleo@example.net", "wrong"),
            ("nobody@example.net", PHRASE),
            ("off@example.net", PHRASE),
            ("mail@example.net", ""),
            ("mail@example.net", "!"),
        )
    ]
    words = {
        answer.content for answer in answers if answer.status_code != 400
    }  # an empty one is no password
    assert len(words) == 1
    assert said(answers[0]) == (401, "no_active_account", None)
    assert "Bearer" in answers[0]["WWW-Authenticate"]


def test_after_ten_wrong_passwords_the_right_one_is_not_taken_for_a_while() -> None:
    member(), member("dan@example.net")
    for _ in range(10):
        answer = Api()("POST", "/login", {"email": "cleo@example.net", "password": "wrong"})
    answer = Api()("POST", "/login", {"email": "cleo@example.net", "password": PHRASE})
    assert said(answer) == (429, "throttled", None)
    assert int(answer["Retry-After"]) > 60
    assert pair(Person.objects.get(email="dan@example.net"))


def test_signing_in_is_throttled_by_client(settings) -> None:
    settings.SIGN_INS_A_MINUTE = 10
    bodies = [{"email": f"{number}@example.net", "password": "x"} for number in range(11)]
    statuses = [Api()("POST", "/auth/jwt/create/", body).status_code for body in bodies]
    assert statuses == [401] * 10 + [429]
    assert 0 < int(Api()("POST", "/api/users/login/", {"pin": "x"})["Retry-After"]) <= 61
    assert Api(address="203.0.113.9")("POST", "/auth/jwt/create/", bodies[0]).status_code == 401


def test_a_pin_signs_a_customer_in_once() -> None:
    mailbox()
    cleo = customer()
    ticket = a_ticket()
    pin = pins.issue_pin(cleo, actor=agent())
    answer = Api()("POST", "/api/users/login/", {"pin": pin.lower().replace("-", " ")})
    assert set(answer.json()) == {"access", "refresh"}
    found = Api(token=answer.json()["access"])("GET", "/api/tickets/").json()["results"]
    assert [row["id"] for row in found] == [ticket.pk]
    assert said(Api()("POST", "/api/users/login/", {"pin": pin})) == (401, "pin", None)
    after = Api()("POST", "/api/token/refresh/", {"refresh": answer.json()["refresh"]})
    assert is_taken(after.json()["access"])


def test_a_pin_is_used_up_with_its_tokens_or_not_at_all(monkeypatch) -> None:
    mailbox()
    pin = pins.issue_pin(customer(), actor=agent())

    def fail(person: Person) -> None:
        raise OperationalError("the disk is full")

    monkeypatch.setattr(tokens, "issue", fail)
    answer = Api()("POST", "/api/users/login/", {"pin": pin})
    assert said(answer)[:2] == (503, "unavailable")
    assert answer["Retry-After"]
    assert SupportPin.objects.get().used_at is None
    monkeypatch.undo()
    assert Api()("POST", "/api/users/login/", {"pin": pin}).status_code == 200


def test_wrong_pins_are_counted_and_stop_the_client() -> None:
    mailbox()
    pin = pins.issue_pin(customer(), actor=agent())
    statuses = [
        Api()("POST", "/api/users/login/", {"pin": "0000-0000-0000"}).status_code for _ in range(12)
    ]
    assert statuses == [401] * 10 + [429] * 2
    answer = Api()("POST", "/api/users/login/", {"pin": pin})
    assert said(answer)[:2] == (429, "throttled")
    assert Api(address="203.0.113.9")("POST", "/api/users/login/", {"pin": pin}).status_code == 200
