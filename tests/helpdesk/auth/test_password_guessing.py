"""Wrong passwords: one count for an account and one for a network, however either is spelt, at the
pages and at the API."""

import pytest
from axes.models import AccessAttempt
from django.core.cache import cache
from django.test import Client

from helpdesk import throttle
from helpdesk.auth import passwords
from helpdesk.models import Attempt, Person
from tests.support.api import Api, said
from tests.support.mail import agent

pytestmark = pytest.mark.django_db

BOB, RIGHT = "bob@example.com", "correct horse battery"


@pytest.fixture(autouse=True)
def _no_counts_yet(settings) -> None:
    cache.clear()
    settings.REQUESTS_A_MINUTE = settings.SIGN_INS_A_MINUTE = 10_000
    settings.AXES_COOLOFF_TIME = 0.25
    agent("Bob")


def on_the_pages(email: str, password: str, address: str) -> int:
    """302: signed in; 200: asked again; 429: not looked at."""
    form = {"username": email, "password": password}
    return int(Client(REMOTE_ADDR=address).post("/admin/login/?next=/admin/", form).status_code)


def by_the_api(email: str, password: str, address: str) -> int:
    """200: signed in; 401: wrong; 429: not looked at."""
    body = {"email": email, "password": password}
    return int(Api(address=address)("POST", "/auth/jwt/create/", body).status_code)


@pytest.mark.parametrize(
    "spellings",
    [
        ["bob@example.com", "BOB@example.com", "Bob@Example.COM", " bob@example.com "],
        ["bob@example.com", "bob@work.example"],
    ],
    ids=["case and blanks", "another address of theirs"],
)
def test_an_account_is_one_however_its_address_is_written(spellings: list[str]) -> None:
    Person.objects.get(email=BOB).addresses.create(address="bob@work.example", may_sign_in=True)
    for number in range(10):
        way = (on_the_pages, by_the_api)[number // 5]
        assert way(spellings[number % len(spellings)], "wrong", "192.0.2.1") in {200, 401, 429}
    assert on_the_pages(BOB, RIGHT, "192.0.2.1") == 429
    assert by_the_api("BOB@example.com", RIGHT, "192.0.2.1") == 429
    assert by_the_api(BOB, RIGHT, "192.0.2.2") == 200


@pytest.mark.parametrize(
    ("addresses", "same", "other"),
    [
        (
            [f"2001:db8:1:2::{number:x}" for number in range(13)],
            "2001:db8:1:2:ffff::1",
            "2001:db8:1:3::1",
        ),
        (["::ffff:192.0.2.1", "192.0.2.1"] * 5, "::ffff:192.0.2.1", "::ffff:192.0.2.2"),
    ],
    ids=["an IPv6 /64", "IPv4 written as IPv6"],
)
@pytest.mark.parametrize("way", [on_the_pages, by_the_api])
def test_a_network_is_one_client(addresses: list[str], same: str, other: str, way) -> None:
    for address in addresses:
        way(BOB, "wrong", address)
    assert way(BOB, RIGHT, same) == 429
    assert way(BOB, RIGHT, other) in {200, 302}


def test_one_password_for_many_accounts_is_stopped_by_network() -> None:
    for number in range(passwords.FROM_NETWORK):
        assert (
            by_the_api(f"p{number}@example.com", "Summer2026", f"2001:db8:1:2::{number:x}") == 401
        )
    assert by_the_api(BOB, RIGHT, "2001:db8:1:2:9::") == 429
    assert on_the_pages(BOB, RIGHT, "2001:db8:1:2:9::") == 429
    assert by_the_api(BOB, RIGHT, "2001:db8:1:3::1") == 200


def test_guesses_from_everywhere_are_stopped_by_account_and_lock_nobody_out_where_they_signed_in_before() -> (
    None
):
    assert on_the_pages(BOB, RIGHT, "192.0.2.1") == 302
    for number in range(passwords.AT_ACCOUNT):
        assert (
            by_the_api(BOB.upper() if number % 2 else BOB, "wrong", f"198.51.100.{number}") == 401
        )
    answer = Api(address="203.0.113.9")("POST", "/login", {"email": BOB, "password": RIGHT})
    assert said(answer)[:2] == (429, "throttled")
    assert int(answer["Retry-After"]) > 60
    assert on_the_pages(BOB, RIGHT, "203.0.113.9") == 429
    assert on_the_pages(BOB, RIGHT, "192.0.2.1") == 302
    assert by_the_api(BOB, RIGHT, "192.0.2.1") == 200
    agent("Ada")
    assert by_the_api("ada@example.com", RIGHT, "203.0.113.9") == 200


def test_an_address_that_is_nobodys_is_stopped_alike() -> None:
    for number in range(passwords.AT_ACCOUNT):
        by_the_api("nobody@example.com", "wrong", f"198.51.100.{number}")
    assert by_the_api("nobody@example.com", "wrong", "203.0.113.9") == 429


def test_right_passwords_count_for_nothing() -> None:
    for number in range(passwords.AT_ACCOUNT + 5):
        assert by_the_api(BOB, RIGHT, f"198.51.100.{number}") == 200
    assert not Attempt.objects.filter(key__startswith="password-failed").exists()


def test_who_has_somebodys_session_does_not_find_out_the_password_with_it() -> None:
    api, path = Api(Person.objects.get(email=BOB)), "/auth/users/set_password/"
    for number in range(20):
        body = {"current_password": f"wrong {number}", "new_password": "another long phrase"}
        assert said(api("POST", path, body))[2] == "current_password"
    answer = api("POST", path, {"current_password": RIGHT, "new_password": "another long phrase"})
    assert said(answer)[:2] == (429, "throttled")


def test_a_client_without_an_address_is_counted_as_one() -> None:
    """Behind a socket of this machine there is none; PostgreSQL takes no other word for it."""
    for _ in range(10):
        on_the_pages(BOB, "wrong", "")
    assert on_the_pages(BOB, RIGHT, "") == 429
    assert set(AccessAttempt.objects.values_list("username", "ip_address")) == {(BOB, None)}


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:c000:201", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("/run/socket", "/run/socket"),
    ],
)
def test_what_a_client_is_known_by(address: str, key: str) -> None:
    assert throttle.client_key(address) == key
