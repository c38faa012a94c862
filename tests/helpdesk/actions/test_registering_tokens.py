"""The token of a verification: it alone, and for its own address alone."""

from typing import Any

import pytest
from django.core.cache import cache

from tests.support.api import Api, a_ticket, last_secret, said
from tests.support.mail import customer, mailbox

pytestmark = pytest.mark.django_db

CLEO, MALLORY, THEIRS = "cleo@example.net", "mallory@evil.example", "a phrase of somebody else"


@pytest.fixture(autouse=True)
def _no_counts_yet(settings) -> None:
    cache.clear()
    settings.REQUESTS_A_MINUTE = settings.SIGN_INS_A_MINUTE = 1000
    mailbox()


def verify(email: str) -> str:
    assert Api()("POST", "/api/send_otp/", {"email": email}).status_code == 200
    answer = Api()("POST", "/api/verify_otp/", {"email": email, "otp": last_secret(r"^ +(\d{6})$")})
    return str(answer.json()["verification"])


def register(path: str, **changes: Any) -> Any:
    return Api(address="198.51.100.9")(
        "POST",
        path,
        {"email": CLEO, "password": THEIRS, "re_password": THEIRS, "role": "user", **changes},
    )


def signs_in() -> bool:
    return bool(
        Api()("POST", "/auth/jwt/create/", {"email": CLEO, "password": THEIRS}).status_code == 200
    )


@pytest.mark.parametrize("path", ["/auth/users/", "/signup"])
def test_a_made_up_token_registers_nobody_though_the_address_was_just_verified(path: str) -> None:
    a_ticket(requester=customer(CLEO))
    verify(CLEO)
    assert said(register(path, verification="made up"))[2] == "email"
    assert not signs_in()


@pytest.mark.parametrize("path", ["/auth/users/", "/signup"])
def test_a_token_for_ones_own_address_registers_nobody_elses(path: str) -> None:
    a_ticket(requester=customer(CLEO))
    mine = verify(MALLORY)
    assert said(register(path, verification=mine))[2] == "email"
    assert not signs_in()
    # It is still good for what it was made for.
    assert register(path, email=MALLORY, verification=mine).status_code == 201


def test_nor_does_it_where_both_were_verified() -> None:
    verify(CLEO)
    assert said(register("/auth/users/", verification=verify(MALLORY)))[2] == "email"
    assert not signs_in()
