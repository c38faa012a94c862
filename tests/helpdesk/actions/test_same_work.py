"""Who asks for a link or a code learns nothing of an address by the time that it takes: the same
work is done."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.signals import template_rendered
from django.test.utils import CaptureQueriesContext

from helpdesk import actions
from helpdesk.models import OutboundMail, Person
from tests.support.api import Api
from tests.support.mail import agent, customer, mailbox

pytestmark = pytest.mark.django_db

PHRASE = "a long phrase of mine"
WAYS: dict[str, Callable[[str], Any]] = {
    "a link by the API": lambda email: Api()(
        "POST", "/auth/users/reset_password/", {"email": email}
    ),
    "a link of the staff site": lambda email: Client().post(
        "/admin/password-reset/", {"email": email}
    ),
    "a code of the portal": lambda email: Client().post("/portal/sign-in/", {"email": email}),
    "a code by the API": lambda email: Api()("POST", "/api/send_otp/", {"email": email}),
    "a registration": lambda email: Api()(
        "POST", "/auth/users/", {"email": email, "password": PHRASE, "re_password": PHRASE}
    ),
}
WHO = [
    "cleo@example.net",
    "ada@example.com",
    "off@example.net",
    "nobody@example.org",
    "FURTHER@example.net",
]


@pytest.fixture(autouse=True)
def _everybody(settings) -> None:
    cache.clear()
    settings.REQUESTS_A_MINUTE = settings.SIGN_INS_A_MINUTE = 10_000
    mailbox(), agent()
    customer().addresses.create(address="further@example.net", may_sign_in=True)
    Person.objects.create_user("off@example.net", is_active=False)


@contextmanager
def work() -> Iterator[list[str]]:
    """The statements without their values, and the templates that are rendered."""
    done: list[str] = []

    def rendered(template: Any, **_: Any) -> None:
        done.append(str(template.name))

    template_rendered.connect(rendered)
    try:
        with CaptureQueriesContext(connection) as asked:
            yield done
    finally:
        template_rendered.disconnect(rendered)
    done += [
        re.sub(r"'(?:[^']|'')*'|\b\d+\b|NULL|\"s\d+_x\d+\"", "?", query["sql"])
        for query in asked.captured_queries
    ]


@pytest.mark.parametrize("way", WAYS)
def test_the_same_is_asked_and_written_whoevers_address_it_is(way: str) -> None:
    actions.verified("warm@example.org", client="127.0.0.1")
    WAYS[way]("warm@example.org")  # what is read once and remembered
    seen = []
    for email in WHO:
        actions.verified(email, client="127.0.0.1")
        with work() as done:
            answer = WAYS[way](email)
        said = answer.content if way != "a registration" else sorted(answer.json())
        seen.append((answer.status_code, said, done))
    assert len(seen[0][2]) > 5
    for email, found in zip(WHO, seen, strict=True):
        assert found == seen[0], email


@pytest.mark.parametrize("way", list(WAYS)[:2])
def test_a_link_is_sent_to_who_may_have_one_and_a_row_is_made_for_the_others(way: str) -> None:
    for email in WHO:
        WAYS[way](email)
    sent = {
        mail.person.email
        for mail in OutboundMail.objects.filter(state="queued").select_related("person")
        if mail.person
    }
    assert sent == (
        {"ada@example.com"} if "staff" in way else {"ada@example.com", "cleo@example.net"}
    )
    assert OutboundMail.objects.count() == len(WHO)
    assert not OutboundMail.objects.exclude(state="queued").exclude(sealed="").exists()


def test_links_that_others_ask_for_without_end_flood_nobody_and_lock_nobody_out() -> None:
    for number in range(12):
        answer = Api(address=f"198.51.100.{number}")(
            "POST", "/auth/users/reset_password/", {"email": "Cleo@example.net"}
        )
        assert answer.status_code == 204
    assert (
        OutboundMail.objects.filter(state="queued", person__email="cleo@example.net").count() == 5
    )
