"""`Idempotency-Key`: whatever creates something creates it once, and gives the first answer again."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone

from helpdesk.models import Attachment, Comment, IdempotencyKey, OutboundMail, Person, Ticket
from tests.support.api import JPG, PNG, Api, a_file, a_ticket, admin, last_secret, said
from tests.support.mail import agent, customer, mailbox

pytestmark = pytest.mark.django_db

BODY = {"title": "a", "description": "b"}


@pytest.fixture(autouse=True)
def _no_counts_yet(settings) -> None:
    cache.clear()
    settings.REQUESTS_A_MINUTE = settings.SIGN_INS_A_MINUTE = 1000
    mailbox()


def made() -> list[int]:
    return [model.objects.count() for model in (Ticket, Comment, Attachment, OutboundMail, Person)]


def test_the_same_again_gives_the_first_answer_byte_for_byte_and_makes_nothing(cleo: Api) -> None:
    first = cleo("POST", "/api/tickets/", BODY, idempotency_key="one")
    cleo("PATCH", f"/api/tickets/{first.json()['id']}/", {"title": "changed since"})
    before = made()
    for path in ("/api/tickets/", "/api/tickets"):
        again = cleo("POST", path, BODY, idempotency_key=" one ")
        assert (again.status_code, again.content, again["ETag"]) == (
            201,
            first.content,
            first["ETag"],
        )
        assert again["Content-Type"] == first["Content-Type"]
    assert made() == before
    assert (
        cleo("POST", "/api/tickets/", BODY, idempotency_key="two").json()["id"]
        != first.json()["id"]
    )
    assert cleo("POST", "/api/tickets/", BODY).json()["id"] != first.json()["id"]


def multipart(path: str, data: dict[str, Any]) -> Callable[[Api], Any]:
    return lambda api: api.upload(path, {**data, "file": a_file(PNG)}, idempotency_key="k")


def as_json(path: str, data: dict[str, Any]) -> Callable[[Api], Any]:
    return lambda api: api("POST", path, data, idempotency_key="k")


GUEST = {"name": "Gus", "email": "gus@example.org", "description": "Hm"}
FORM = {
    "email": "new@example.org",
    "password": "a long phrase of mine",
    "re_password": "a long phrase of mine",
}


@pytest.mark.parametrize(
    "ask",
    [
        as_json("/api/tickets/", BODY),
        multipart("/api/tickets/", BODY),
        as_json("/api/tickets/{t}/comments/", {"body": "x"}),
        multipart("/api/tickets/{t}/comments/", {}),
        multipart("/api/tickets/{t}/attachments/", {}),
        as_json("/add/", GUEST),
        multipart("/add/", GUEST),
        as_json("/profiles/{p}/tickets/", BODY),
        multipart("/profiles/{p}/tickets/", BODY),
        as_json("/tickets/{t}/messages/", {"body": "x"}),
        multipart("/tickets/{t}/messages/", {}),
        as_json("/auth/users/", FORM),
        as_json("/signup/", FORM),
    ],
)
def test_every_post_that_creates_creates_once(
    ask: Callable[[Api], Any], cleo: Api, monkeypatch
) -> None:
    ticket = a_ticket()
    Api()("POST", "/api/send_otp/", {"email": "new@example.org"})
    Api()(
        "POST", "/api/verify_otp/", {"email": "new@example.org", "otp": last_secret(r"^ +(\d{6})$")}
    )
    for method in ("__call__", "upload"):
        real = getattr(Api, method)

        def filled(self: Api, *given: Any, real: Any = real, **more: str) -> Any:
            places = [
                x.format(t=ticket.pk, p=customer().pk) if str(x).startswith("/") else x
                for x in given
            ]
            return real(self, *places, **more)

        monkeypatch.setattr(Api, method, filled)
    start = made()
    first = ask(cleo)
    after = made()
    assert (first.status_code, after != start) == (201, True)
    again = ask(cleo)
    assert (again.status_code, again.content) == (201, first.content)
    assert made() == after


def test_another_body_is_422_and_another_user_or_path_is_another_matter(cleo: Api) -> None:
    first = cleo("POST", "/api/tickets/", BODY, idempotency_key="one").json()["id"]
    for other in ({**BODY, "title": "A"}, {**BODY, "priority": "low"}, {}, []):
        assert said(cleo("POST", "/api/tickets/", other, idempotency_key="one"))[:2] == (
            422,
            "idempotency_key_reused",
        )
    assert Ticket.objects.count() == 1
    for api, path in (
        (Api(customer("dan@example.net", "Dan")), "/api/tickets/"),
        (Api(agent()), "/api/tickets/"),
        (cleo, f"/profiles/{customer().pk}/tickets/"),
    ):
        answer = api("POST", path, BODY, idempotency_key="one")
        assert answer.status_code == 201
        assert answer.json()["id"] != first
    here, there = (
        Api(address=address)("POST", "/add/", GUEST, idempotency_key="g")
        for address in ("::1", "203.0.113.9")
    )
    assert here.json()["id"] != there.json()["id"]


def test_files_count_by_their_names_and_content_and_the_boundary_does_not(cleo: Api) -> None:
    path = f"/api/tickets/{a_ticket().pk}/attachments/"

    def send(content: bytes, name: str = "file.png") -> Any:
        return cleo.upload(path, {"file": a_file(content, name)}, idempotency_key="one")

    first = send(PNG)
    assert (send(PNG).content, first.status_code) == (first.content, 201)
    assert send(PNG + b"\0").status_code == 422
    assert send(JPG).status_code == 422
    assert send(PNG, "other.png").status_code == 422
    assert Attachment.objects.count() == 1
    assert (
        bytes(Attachment.objects.get().file.read()) == PNG
    )  # what was read for its digest was stored from its start


def test_what_failed_is_not_remembered(cleo: Api) -> None:
    assert said(cleo("POST", "/api/tickets/", {"title": "a"}, idempotency_key="one"))[0] == 400
    assert cleo("POST", "/api/tickets/", BODY, idempotency_key="one").status_code == 201
    ticket = a_ticket(requester=customer("dan@example.net", "Dan"))
    path = f"/api/tickets/{ticket.pk}/comments/"
    assert cleo("POST", path, {"body": "x"}, idempotency_key="one").status_code == 404
    assert not IdempotencyKey.objects.filter(path=path).exists()


def test_a_key_is_good_for_a_day(cleo: Api) -> None:
    first = cleo("POST", "/api/tickets/", BODY, idempotency_key="one").json()["id"]
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=23, minutes=59))
    assert cleo("POST", "/api/tickets/", BODY, idempotency_key="one").json()["id"] == first
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=24, seconds=1))
    assert (
        cleo("POST", "/api/tickets/", {**BODY, "title": "A"}, idempotency_key="one").json()["id"]
        != first
    )


def test_a_first_answer_is_not_given_to_whom_the_ticket_is_no_longer_shown(cleo: Api) -> None:
    path = f"/api/tickets/{a_ticket().pk}/comments/"
    ticket = Ticket.objects.get()
    assert cleo("POST", path, {"body": "x"}, idempotency_key="one").status_code == 201
    ticket.participants.all().delete()
    Person.objects.filter(email="cleo@example.net").update(is_active=False)
    assert cleo("POST", path, {"body": "x"}, idempotency_key="one").status_code == 401


@pytest.mark.parametrize(
    "body",
    ['{"title": 1e999}', '{"title": "\\ud800"}', '{"title": "a", "x": [1e999]}', "[", "\xff"],
)
def test_a_body_that_cannot_be_written_down_again_is_the_clients_error(
    body: str, cleo: Api
) -> None:
    headers = {**cleo.headers, "Idempotency-Key": "one"}
    answer = cleo.client.post(
        "/api/tickets/", body.encode("latin-1"), content_type="application/json", headers=headers
    )
    assert said(answer)[0] == 400


@pytest.mark.parametrize("key", ["x" * 201, "a\tb", "\x7f"])
def test_a_key_that_is_none_is_named(key: str, cleo: Api) -> None:
    assert said(cleo("POST", "/api/tickets/", BODY, idempotency_key=key))[::2] == (
        400,
        "Idempotency-Key",
    )
    assert cleo("POST", "/api/tickets/", BODY, idempotency_key="x" * 200).status_code == 201


def test_a_key_on_what_creates_nothing_does_nothing(cleo: Api) -> None:
    ticket = a_ticket()
    for title in ("One", "Two"):
        answer = cleo(
            "PATCH", f"/api/tickets/{ticket.pk}/", {"title": title}, idempotency_key="one"
        )
        assert answer.json()["title"] == title
    assert not IdempotencyKey.objects.exists()
    assert Api(admin())("DELETE", f"/delete/{ticket.pk}/", idempotency_key="one").status_code == 204
