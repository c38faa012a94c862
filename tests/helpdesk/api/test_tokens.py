"""What a token is good for, and what ends it."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.conf import settings as configured
from django.utils import timezone

from helpdesk.api import tokens
from helpdesk.models import (
    IdempotencyKey,
    Person,
    TokenFamily,
    VerifiedAddress,
)
from tasks.housekeeping import clean_up
from tests.support.accounts import PHRASE, is_taken, member, pair, verify
from tests.support.api import Api, admin, last_secret, said
from tests.support.mail import mailbox

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("many_may_sign_in")]


def test_jwt_and_bearer_are_the_same_and_other_words_are_none() -> None:
    access = pair(member())["access"]
    for scheme, status in (
        ("Bearer", 200),
        ("JWT", 200),
        ("bearer", 401),
        ("Token", 401),
        ("Basic", 401),
    ):
        answer = Api()("GET", "/auth/users/me/", Authorization=f"{scheme} {access}")
        assert answer.status_code == status, scheme
    assert Api()("GET", "/auth/users/me/", Authorization="Bearer").status_code == 401
    assert Api()("GET", "/auth/users/me/", Authorization=f"Bearer {access} x").status_code == 401


def forged(
    change: Callable[[dict[str, Any]], object], *, key: str = "", algorithm: str = "HS256"
) -> str:
    """Our own access token of a member, changed and signed again; the right key where none is
    given."""
    claims = jwt.decode(tokens.issue(member())["access"], options={"verify_signature": False})
    change(claims)
    return jwt.encode(
        claims, key or configured.JWT_KEY if algorithm != "none" else None, algorithm=algorithm
    )


def someone_else(claims: dict[str, Any]) -> None:
    claims["user_id"] = str(admin().pk)


def another_family(claims: dict[str, Any]) -> None:
    claims["family"] = jwt.decode(
        tokens.issue(admin())["access"], options={"verify_signature": False}
    )["family"]


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
    ids=[
        "alg none",
        "foreign key",
        "another algorithm",
        "expired",
        "for ever",
        "no family",
        "no stamp",
        "no type",
        "unknown family",
        "odd family",
        "null family",
        "nobody",
        "someone else",
        "another's family",
    ],
)
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
def test_a_refresh_token_works_once_and_a_second_use_ends_its_family_and_no_other(
    path: str,
) -> None:
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
    "an account switched off": lambda person: Person.objects.filter(pk=person.pk).update(
        is_active=False
    ),
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
        (given["access"], 200),
        (after["access"], 200),
        (after["refresh"], 200),
        (given["refresh"], 401),
        ("x", 401),
    ):
        assert Api()("POST", "/auth/jwt/verify/", {"token": token}).status_code == status
    assert is_taken(after["access"])  # to ask is not to use


def test_what_is_over_is_swept_up() -> None:
    pair(member())
    verify("dan@example.net")
    Api(member("eve@example.net"))(
        "POST", "/api/tickets/", {"title": "a", "description": "b"}, idempotency_key="k"
    )
    kept = (TokenFamily, VerifiedAddress, IdempotencyKey)
    clean_up()
    assert all(model.objects.exists() for model in kept)
    long_ago = timezone.now() - timedelta(days=3)
    TokenFamily.objects.update(expires_at=long_ago)
    VerifiedAddress.objects.update(expires_at=long_ago)
    IdempotencyKey.objects.update(created_at=long_ago)
    clean_up()
    assert [model.__name__ for model in kept if model.objects.exists()] == []
