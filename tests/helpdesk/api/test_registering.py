"""Verifying an address and registering it, also from the side of whoever must not get in."""

from datetime import timedelta
from typing import Any

import pytest
from django.core import serializers
from django.utils import timezone

from helpdesk.models import (
    EmailCode,
    IdempotencyKey,
    Person,
    PersonAddress,
    TokenFamily,
    VerifiedAddress,
)
from tests.support.accounts import PHRASE, form, is_taken, member, pair, verify
from tests.support.api import Api, last_secret, said
from tests.support.mail import agent, customer, eml, mailbox, receive

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("many_may_sign_in")]


def test_who_has_only_written_mail_registers_and_has_their_tickets() -> None:
    ticket = receive(eml("Help")).ticket_number
    assert not Person.objects.get(email="cleo@example.net").has_usable_password()
    token = verify("Cleo@Example.net")
    answer = Api()("POST", "/auth/users/", form("Cleo@example.net", verification=token))
    assert (answer.status_code, answer.json()["email"], answer.json()["role"]) == (
        201,
        "cleo@example.net",
        "user",
    )
    access = pair(Person.objects.get(email="cleo@example.net"))["access"]
    found = Api(token=access)("GET", "/api/tickets/").json()["results"]
    assert [row["id"] for row in found] == [ticket]


@pytest.mark.parametrize("path", ["/auth/users/", "/signup"])
def test_an_address_that_is_not_verified_is_not_registered(path: str) -> None:
    verify("dan@example.net")
    for changes in ({}, {"verification": "made up"}, {"email": "CLEO@example.net"}):
        assert said(Api()("POST", path, form(**changes))) == (400, "refused", "email")
    assert not Person.objects.exists()


def test_a_verification_is_for_15_minutes_once_and_for_where_it_was_made_or_its_token() -> None:
    elsewhere = Api(address="203.0.113.9")
    token = verify()
    assert said(elsewhere("POST", "/auth/users/", form()))[2] == "email"
    rows = VerifiedAddress.objects.filter(address="cleo@example.net")
    rows.update(expires_at=timezone.now())
    assert said(Api()("POST", "/auth/users/", form(verification=token)))[2] == "email"
    rows.update(expires_at=timezone.now() + timedelta(minutes=1))
    assert VerifiedAddress.objects.get().token_hash != token
    assert elsewhere("POST", "/auth/users/", form(verification=token)).status_code == 201
    Person.objects.update(password="!")
    assert said(Api()("POST", "/auth/users/", form(verification=token)))[2] == "email"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"role": "agent"}, "role"),
        ({"role": "admin"}, "role"),
        ({"role": "Admin"}, "role"),
        ({"re_password": "another"}, "re_password"),
        ({"password": "short", "re_password": "short"}, "password"),
        ({"password": "password12", "re_password": "password12"}, "password"),
        ({"password": "cleo@example.net", "re_password": "cleo@example.net"}, "password"),
        ({"username": "taken"}, "username"),
        ({"username": "a b"}, "username"),
        ({"email": "nonsense"}, "email"),
        ({"password": None}, "password"),
    ],
)
def test_what_is_wrong_with_a_registration_is_named_and_the_verification_is_still_good(
    changes: Any, field: str
) -> None:
    member("dan@example.net", username="taken")
    verify()
    status, _, named = said(Api()("POST", "/auth/users/", form(**changes)))
    assert (status, named) == (400, field)
    assert not Person.objects.filter(email="cleo@example.net").exists()
    assert Api()("POST", "/auth/users/", form()).status_code == 201


@pytest.mark.parametrize("who", ["registered", "agent", "admin", "switched off"])
def test_nobody_gets_another_password_by_registering(who: str) -> None:
    email = "cleo@example.net"
    if who in {"agent", "admin"}:
        Person.objects.create_user(email, role=who)
    elif who == "registered":
        member(email)
    else:
        Person.objects.create_user(email, is_active=False)
    before = Person.objects.get().password
    token = verify()
    assert said(Api()("POST", "/signup", form(verification=token))) == (400, "refused", "email")
    assert Api()("POST", "/signup", form()).status_code == 201  # who has no token learns nothing
    assert Person.objects.get(email=email).password == before


def test_a_code_is_asked_for_and_taken_alike_whoever_has_the_address() -> None:
    member(), agent(), mailbox()
    answers = {
        (path, email): Api()("POST", path, {"email": email, "otp": "000000"}).content
        for path in ("/api/send_otp/", "/api/verify_otp/", "/auth/users/reset_password/")
        for email in ("cleo@example.net", "ada@example.com", "nobody@example.org")
    }
    assert len(set(answers.values())) == 3
    assert EmailCode.objects.count() == 3


def test_a_wrong_code_verifies_nothing() -> None:
    mailbox()
    Api()("POST", "/api/send_otp/", {"email": "cleo@example.net"})
    right = last_secret(r"^ +(\d{6})$")
    wrong = f"{(int(right) + 1) % 10**6:06d}"
    for otp in (wrong, "", right + "0", "x" * 20):
        assert said(Api()("POST", "/api/verify_otp/", {"email": "cleo@example.net", "otp": otp}))[
            ::2
        ] == (400, "otp")
    assert (
        said(Api()("POST", "/api/verify_otp/", {"email": "dan@example.net", "otp": right}))[2]
        == "otp"
    )
    assert not VerifiedAddress.objects.exists()


def test_whoever_registers_a_further_address_of_theirs_signs_in_with_it() -> None:
    PersonAddress.objects.create(person=customer(), address="cleo@work.example", may_sign_in=True)
    token = verify("cleo@work.example")
    assert (
        Api()("POST", "/auth/users/", form("cleo@work.example", verification=token)).status_code
        == 201
    )
    body = {"email": "cleo@work.example", "password": PHRASE}
    assert Api()("POST", "/auth/jwt/create/", body).status_code == 200


def test_signing_up_signs_in_and_the_tokens_are_kept_nowhere_in_the_clear() -> None:
    token = verify()
    answer = Api()("POST", "/signup", form(verification=token), idempotency_key="one")
    assert answer.status_code == 201
    assert answer.json()["profile"]["name"] == "Cleo Brandt"
    assert is_taken(answer.json()["access"])
    assert (
        Api()("POST", "/signup", form(verification=token), idempotency_key="one").content
        == answer.content
    )
    kept = serializers.serialize(
        "json", [*IdempotencyKey.objects.all(), *TokenFamily.objects.all()]
    )
    assert answer.json()["refresh"] not in kept
    assert answer.json()["access"] not in kept
