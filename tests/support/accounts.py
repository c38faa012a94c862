"""Somebody with an account at the API: registering, signing in."""

from typing import Any

from helpdesk.models import (
    Person,
)
from tests.support.api import Api, last_secret
from tests.support.mail import mailbox

PHRASE = "a long phrase of mine"


def form(email: str = "cleo@example.net", **changes: Any) -> dict[str, Any]:
    return {
        "first_name": "Cleo",
        "last_name": "Brandt",
        "email": email,
        "username": "cleo",
        "password": PHRASE,
        "re_password": PHRASE,
        "role": "user",
        **changes,
    }


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
