"""Registering, signing in and out, and passwords, from the side of whoever must not get in."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from django.conf import settings as configured
from django.core import serializers
from django.core.cache import cache
from django.db import OperationalError
from django.utils import timezone
from django.utils.http import urlsafe_base64_encode

from helpdesk.actions import pins
from helpdesk.api import tokens
from helpdesk.api.idempotency import fingerprint
from helpdesk.models import (
    EmailCode,
    IdempotencyKey,
    OutboundMail,
    Person,
    PersonAddress,
    SupportPin,
    TokenFamily,
    VerifiedAddress,
)
from tasks.codes import deliver
from tasks.housekeeping import clean_up
from tests.api import Api, a_ticket, admin, last_secret, said
from tests.mail import agent, customer, deliver_all, eml, mailbox, receive

pytestmark = pytest.mark.django_db

PHRASE = "a long phrase of mine"


@pytest.fixture(autouse=True)
def _no_counts_yet(settings) -> None:
    cache.clear()
    settings.REQUESTS_A_MINUTE = settings.SIGN_INS_A_MINUTE = 1000


def form(email: str = "cleo@example.net", **changes: Any) -> dict[str, Any]:
    return {
        "first_name": "Cleo", "last_name": "Brandt", "email": email, "username": "cleo", "password": PHRASE,
        "re_password": PHRASE, "role": "user", **changes,
    }  # fmt: skip


def verify(email: str = "cleo@example.net", api: Api | None = None) -> str:
    """The address is verified; the token that proves it elsewhere."""
    mailbox()
    api = api or Api()
    assert api("POST", "/api/send_otp/", {"email": email}).status_code == 200
    answer = api("POST", "/api/verify_otp/", {"email": email, "otp": last_secret(r"^ +(\d{6})$")})
    assert answer.status_code == 200
    return str(answer.json()["verification"])


def member(email: str = "cleo@example.net", **fields: Any) -> Person:
    return Person.objects.create_user(email, PHRASE, **fields)


def pair(person: Person) -> dict[str, str]:
    """As a client gets it."""
    body = {"email": person.email, "password": PHRASE}
    answer = Api()("POST", "/auth/jwt/create/", body)
    assert answer.status_code == 200
    return dict(answer.json())


def is_taken(access: str) -> bool:
    status = Api(token=access)("GET", "/auth/users/me/").status_code
    assert status in {200, 401}
    return bool(status == 200)


# --- Registering


def test_who_has_only_written_mail_registers_and_has_their_tickets() -> None:
    ticket = receive(eml("Help")).ticket_number
    assert not Person.objects.get(email="cleo@example.net").has_usable_password()
    token = verify("Cleo@Example.net")
    answer = Api()("POST", "/auth/users/", form("Cleo@example.net", verification=token))
    assert (answer.status_code, answer.json()["email"], answer.json()["role"]) == (201, "cleo@example.net", "user")
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
        assert said(Api()("POST", "/api/verify_otp/", {"email": "cleo@example.net", "otp": otp}))[::2] == (400, "otp")
    assert said(Api()("POST", "/api/verify_otp/", {"email": "dan@example.net", "otp": right}))[2] == "otp"
    assert not VerifiedAddress.objects.exists()


def test_whoever_registers_a_further_address_of_theirs_signs_in_with_it() -> None:
    PersonAddress.objects.create(person=customer(), address="cleo@work.example", may_sign_in=True)
    token = verify("cleo@work.example")
    assert Api()("POST", "/auth/users/", form("cleo@work.example", verification=token)).status_code == 201
    body = {"email": "cleo@work.example", "password": PHRASE}
    assert Api()("POST", "/auth/jwt/create/", body).status_code == 200


def test_signing_up_signs_in_and_the_tokens_are_kept_nowhere_in_the_clear() -> None:
    token = verify()
    answer = Api()("POST", "/signup", form(verification=token), idempotency_key="one")
    assert answer.status_code == 201
    assert answer.json()["profile"]["name"] == "Cleo Brandt"
    assert is_taken(answer.json()["access"])
    assert Api()("POST", "/signup", form(verification=token), idempotency_key="one").content == answer.content
    kept = serializers.serialize("json", [*IdempotencyKey.objects.all(), *TokenFamily.objects.all()])
    assert answer.json()["refresh"] not in kept
    assert answer.json()["access"] not in kept


# --- Signing in


def test_signing_in_by_password_whatever_the_case_of_the_address() -> None:
    member(name="Cleo Brandt", username="cleo")
    answer = Api()("POST", "/login", {"email": " CLEO@example.net", "password": PHRASE})
    assert answer.status_code == 200
    assert set(answer.json()) == {"access", "refresh", "profile"}
    profile = Api(token=answer.json()["access"])("GET", "/login").json()
    assert profile == answer.json()["profile"]
    assert (profile["first_name"], profile["last_name"], profile["username"]) == ("Cleo", "Brandt", "cleo")
    assert "password" not in profile


def test_what_is_wrong_with_the_credentials_is_not_said() -> None:
    member(), member("off@example.net", is_active=False), customer("mail@example.net", "Mail")
    answers = [
        Api()("POST", "/auth/jwt/create/", {"email": email, "password": password})
        for email, password in (
            ("cleo@example.net", "wrong"), ("nobody@example.net", PHRASE), ("off@example.net", PHRASE),
            ("mail@example.net", ""), ("mail@example.net", "!"),
        )
    ]  # fmt: skip
    words = {answer.content for answer in answers if answer.status_code != 400}  # an empty one is no password
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


# --- Tokens


def test_jwt_and_bearer_are_the_same_and_other_words_are_none() -> None:
    access = pair(member())["access"]
    for scheme, status in (("Bearer", 200), ("JWT", 200), ("bearer", 401), ("Token", 401), ("Basic", 401)):
        answer = Api()("GET", "/auth/users/me/", Authorization=f"{scheme} {access}")
        assert answer.status_code == status, scheme
    assert Api()("GET", "/auth/users/me/", Authorization="Bearer").status_code == 401
    assert Api()("GET", "/auth/users/me/", Authorization=f"Bearer {access} x").status_code == 401


def forged(change: Callable[[dict[str, Any]], object], *, key: str = "", algorithm: str = "HS256") -> str:
    """Our own access token of a member, changed and signed again; the right key where none is given."""
    claims = jwt.decode(tokens.issue(member())["access"], options={"verify_signature": False})
    change(claims)
    return jwt.encode(claims, key or configured.JWT_KEY if algorithm != "none" else None, algorithm=algorithm)


def someone_else(claims: dict[str, Any]) -> None:
    claims["user_id"] = str(admin().pk)


def another_family(claims: dict[str, Any]) -> None:
    claims["family"] = jwt.decode(tokens.issue(admin())["access"], options={"verify_signature": False})["family"]


@pytest.mark.parametrize(
    ("change", "how"),
    [
        (lambda claims: None, {"algorithm": "none"}),
        (lambda claims: None, {"key": "another key that is long enough for HS256"}),
        (lambda claims: None, {"algorithm": "HS512"}),
        (lambda claims: claims.update(exp=int(timezone.now().timestamp()) - 1), {}),
        (lambda claims: claims.pop("exp"), {}),
        (lambda claims: claims.pop("family"), {}),
        (lambda claims: claims.pop("stamp"), {}),
        (lambda claims: claims.pop("token_type"), {}),
        (lambda claims: claims.update(family=str(uuid.uuid4())), {}),
        (lambda claims: claims.update(family="' OR 1=1"), {}),
        (lambda claims: claims.update(family=None), {}),
        (lambda claims: claims.pop("user_id"), {}),
        (someone_else, {}),
        (another_family, {}),
    ],
    ids=["alg none", "foreign key", "another algorithm", "expired", "for ever", "no family", "no stamp",
         "no type", "unknown family", "odd family", "null family", "nobody", "someone else", "another's family"],
)  # fmt: skip
def test_a_token_that_is_not_wholly_ours_is_none(
    change: Callable[[dict[str, Any]], object], how: dict[str, str]
) -> None:
    token = forged(change, **how)
    assert not is_taken(token)
    assert said(Api()("POST", "/auth/jwt/verify/", {"token": token}))[0] == 401
    refused = Api(token=token)("GET", "/api/tickets/")
    assert said(refused)[0] == 401
    assert "Bearer" in refused["WWW-Authenticate"]


def test_our_own_token_signed_again_unchanged_is_taken() -> None:
    assert is_taken(forged(lambda claims: None))  # so that the refusals above mean something


def test_an_access_token_refreshes_nothing_and_a_refresh_token_opens_nothing() -> None:
    given = pair(member())
    assert not is_taken(given["refresh"])
    assert said(Api()("POST", "/auth/jwt/refresh/", {"refresh": given["access"]}))[0] == 401
    assert is_taken(given["access"])


@pytest.mark.parametrize("path", ["/auth/jwt/refresh/", "/api/token/refresh/"])
def test_a_refresh_token_works_once_and_a_second_use_ends_its_family_and_no_other(path: str) -> None:
    cleo = member()
    first, other = pair(cleo), pair(cleo)
    second = Api()("POST", path, {"refresh": first["refresh"]}).json()
    third = Api()("POST", path, {"refresh": second["refresh"]}).json()
    assert set(third) == {"access", "refresh"}
    assert is_taken(first["access"])
    assert said(Api()("POST", path, {"refresh": first["refresh"]}))[0] == 401
    for dead in (first, second, third):
        assert not is_taken(dead["access"])
        assert said(Api()("POST", path, {"refresh": dead["refresh"]}))[0] == 401
    assert is_taken(other["access"])
    assert Api()("POST", path, {"refresh": other["refresh"]}).status_code == 200


def test_a_sign_in_that_is_used_lasts_as_long_as_its_newest_token_says() -> None:
    given = pair(member())
    TokenFamily.objects.update(expires_at=timezone.now() + timedelta(hours=1))
    newer = Api()("POST", "/auth/jwt/refresh/", {"refresh": given["refresh"]}).json()["refresh"]
    says = jwt.decode(newer, options={"verify_signature": False})["exp"]
    assert TokenFamily.objects.get().expires_at.timestamp() >= says - 5


def confirm_reset(person: Person) -> None:
    Api()("POST", "/auth/users/reset_password/", {"email": person.email})
    uid, token = last_secret(r"/portal/password/(\S+)/$").split("/")
    body = {"uid": uid, "token": token, "new_password": "another long phrase"}
    assert Api()("POST", "/auth/users/reset_password_confirm/", body).status_code == 204


def change_password(person: Person) -> None:
    body = {"current_password": PHRASE, "new_password": "another long phrase"}
    answer = Api(person)("POST", "/auth/users/set_password/", body)
    assert answer.status_code == 200
    assert is_taken(answer.json()["access"])


ENDS = {
    "a password that was reset": confirm_reset,
    "a password that was changed": change_password,
    "another role": lambda person: Person.objects.filter(pk=person.pk).update(role="agent"),
    "an account switched off": lambda person: Person.objects.filter(pk=person.pk).update(is_active=False),
}


@pytest.mark.parametrize("what", ENDS)
def test_what_ends_every_sign_in_of_a_person(what: str) -> None:
    mailbox()
    cleo, dan = member(), pair(member("dan@example.net"))
    before = [pair(cleo), pair(cleo)]
    ENDS[what](cleo)
    for dead in before:
        assert not is_taken(dead["access"])
        assert said(Api()("POST", "/auth/jwt/refresh/", {"refresh": dead["refresh"]}))[0] == 401
        assert said(Api()("POST", "/auth/jwt/verify/", {"token": dead["access"]}))[0] == 401
    assert is_taken(dan["access"])


@pytest.mark.parametrize("path", ["/logout", "/auth/jwt/logout/"])
def test_signing_out_ends_that_sign_in_its_access_tokens_too(path: str) -> None:
    cleo = member()
    here, there = pair(cleo), pair(cleo)
    assert Api()("POST", path, {"refresh": here["refresh"]}).status_code == 200
    assert not is_taken(here["access"])
    assert said(Api()("POST", "/auth/jwt/refresh/", {"refresh": here["refresh"]}))[0] == 401
    assert is_taken(there["access"])


def test_verify_says_of_a_token_whether_it_would_be_taken() -> None:
    given = pair(member())
    after = Api()("POST", "/auth/jwt/refresh/", {"refresh": given["refresh"]}).json()
    for token, status in (
        (given["access"], 200), (after["access"], 200), (after["refresh"], 200), (given["refresh"], 401), ("x", 401),
    ):  # fmt: skip
        assert Api()("POST", "/auth/jwt/verify/", {"token": token}).status_code == status
    assert is_taken(after["access"])  # to ask is not to use


# --- Passwords


def test_a_password_is_reset_by_a_link_in_a_mail_that_works_once_and_gives_a_first_one() -> None:
    mailbox()
    cleo = customer()
    assert Api()("POST", "/auth/users/reset_password/", {"email": "CLEO@example.net"}).status_code == 204
    row = OutboundMail.objects.get()
    assert (row.person, row.to_address, row.text, row.html) == (cleo, "cleo@example.net", "", "")
    uid, token = last_secret(r"/portal/password/(\S+)/$").split("/")
    assert token not in serializers.serialize("json", OutboundMail.objects.all())
    deliver(row.pk)
    (mail,) = deliver_all()
    assert token.encode() in mail.replace(b"=\r\n", b"")
    path, body = "/auth/users/reset_password_confirm/", {"uid": uid, "token": token, "new_password": PHRASE}
    for changes, field in (
        ({"new_password": "short"}, "new_password"), ({"uid": "x"}, "uid"), ({"token": token[:-1]}, "token"),
    ):  # fmt: skip
        assert said(Api()("POST", path, {**body, **changes}))[::2] == (400, field)
    assert Api()("POST", path, body).status_code == 204
    assert said(Api()("POST", path, {**body, "new_password": "a third long phrase"}))[0] == 400
    assert is_taken(pair(cleo)["access"])


def test_a_link_is_for_its_own_person_and_time(settings) -> None:
    mailbox(), member("dan@example.net")
    Api()("POST", "/auth/users/reset_password/", {"email": customer().email})
    uid, token = last_secret(r"/portal/password/(\S+)/$").split("/")
    other = urlsafe_base64_encode(str(Person.objects.get(email="dan@example.net").pk).encode())
    path = "/auth/users/reset_password_confirm/"
    assert said(Api()("POST", path, {"uid": other, "token": token, "new_password": "a third phrase"}))[0] == 400
    settings.PASSWORD_RESET_TIMEOUT = -1
    assert said(Api()("POST", path, {"uid": uid, "token": token, "new_password": "a third phrase"}))[0] == 400


def test_nobody_and_the_switched_off_are_sent_no_link() -> None:
    mailbox(), member(is_active=False)
    for email in ("cleo@example.net", "nobody@example.net"):
        assert Api()("POST", "/auth/users/reset_password/", {"email": email}).status_code == 204
    assert set(OutboundMail.objects.values_list("state", "sealed")) == {("cancelled", "")}


def test_a_new_password_needs_the_old_one_and_must_be_good() -> None:
    api = Api(member())
    path = "/auth/users/set_password/"
    for current, new, field in (
        ("wrong", "another long phrase", "current_password"), (PHRASE, "short", "new_password"),
    ):  # fmt: skip
        answer = said(api("POST", path, {"current_password": current, "new_password": new}))
        assert answer[::2] == (400, field), (current, new)
    for body in ([], "text", None, 1, {"current_password": "\ud800", "new_password": "another long phrase"}):
        assert said(api("POST", path, body))[0] == 400, body


# --- PINs


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
    statuses = [Api()("POST", "/api/users/login/", {"pin": "0000-0000-0000"}).status_code for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    answer = Api()("POST", "/api/users/login/", {"pin": pin})
    assert said(answer)[:2] == (429, "throttled")
    assert Api(address="203.0.113.9")("POST", "/api/users/login/", {"pin": pin}).status_code == 200


# --- What is kept


def test_what_is_over_is_swept_up() -> None:
    pair(member())
    verify("dan@example.net")
    Api(member("eve@example.net"))("POST", "/api/tickets/", {"title": "a", "description": "b"}, idempotency_key="k")
    kept = (TokenFamily, VerifiedAddress, IdempotencyKey)
    clean_up()
    assert all(model.objects.exists() for model in kept)
    long_ago = timezone.now() - timedelta(days=3)
    TokenFamily.objects.update(expires_at=long_ago)
    VerifiedAddress.objects.update(expires_at=long_ago)
    IdempotencyKey.objects.update(created_at=long_ago)
    clean_up()
    assert [model.__name__ for model in kept if model.objects.exists()] == []


def test_a_password_is_not_recognisable_in_what_is_kept_of_a_request(settings) -> None:
    """A digest that needs no key is as good as the password to who can try a million a second."""
    request = SimpleNamespace(method="POST", data=form())
    before = fingerprint(request)  # type: ignore[arg-type]
    settings.SECRET_KEY = "another key"
    assert fingerprint(request) != before  # type: ignore[arg-type]
