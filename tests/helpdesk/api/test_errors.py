"""Whatever is wrong, the answer has one shape; and who asks too often is told when to come back."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.cache import cache
from django.db import OperationalError
from django.test import Client

from helpdesk import access
from helpdesk.api import throttling
from helpdesk.models import Ticket
from tests.support.api import Api, a_ticket, said
from tests.support.mail import agent, customer, mailbox

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_counts_yet() -> None:
    cache.clear()


def raw(content: bytes, kind: str = "application/json", path: str = "/api/tickets/") -> Any:
    api = Api(customer())
    return api.client.generic("POST", path, content, content_type=kind, headers=api.headers)


@pytest.mark.parametrize(
    ("content", "kind", "expected"),
    [
        (b"{", "application/json", (400, "parse_error")),
        (b"", "application/json", (400, "required")),
        (b"null", "application/json", (400, "invalid")),
        (b"[]", "application/json", (400, "invalid")),
        (b'"text"', "application/json", (400, "invalid")),
        (b"NaN", "application/json", (400, "parse_error")),
        (b'{"title": 1' + b"0" * 5000 + b"}", "application/json", (400, "parse_error")),
        (b"\xff\xfe", "application/json", (400, "parse_error")),
        (b"[" * 100_000, "application/json", (400, "parse_error")),
        (b"<x/>", "application/xml", (415, "unsupported_media_type")),
        (b"title=a", "text/plain", (415, "unsupported_media_type")),
        (b"x", "multipart/form-data", (400, "parse_error")),
        (b"x", "multipart/form-data; boundary=o", (400, "required")),
        (b"a=1&" * 1001, "application/x-www-form-urlencoded", (400, None)),
        (b"a=" + b"x" * 6_000_000, "application/x-www-form-urlencoded", (400, None)),
        (
            b'--o\r\nContent-Disposition: form-data; name="f"; filename="a.png"\r\n\r\nx\r\n' * 101
            + b"--o--",
            "multipart/form-data; boundary=o",
            (400, None),
        ),
    ],
    ids=[
        "cut off",
        "empty",
        "null",
        "list",
        "text",
        "nan",
        "big number",
        "not utf-8",
        "deep",
        "xml",
        "plain",
        "no boundary",
        "no parts",
        "many fields",
        "big form",
        "many files",
    ],
)
def test_a_body_that_is_none_is_the_clients_error_in_the_same_shape(
    content: bytes, kind: str, expected: Any
) -> None:
    mailbox()
    status, code, _ = said(raw(content, kind))
    assert (status, code if expected[1] else None) == expected
    assert not Ticket.objects.exists()


def test_a_body_of_more_than_five_megabytes_that_is_no_file_is_not_read() -> None:
    content = json.dumps({"title": "a", "description": "b", "more": "x" * 6_000_000}).encode()
    assert said(raw(content))[0] in {400, 413}


def test_several_problems_are_all_there_and_the_first_one_is_the_error() -> None:
    answer = Api(customer())("POST", "/api/tickets/", {"title": "", "priority": "lost"})
    found = answer.json()
    assert [item["field"] for item in found["errors"]] == ["title", "description", "priority"]
    assert found["error"] == found["errors"][0]
    assert {item["code"] for item in found["errors"]} == {"blank", "required", "invalid_choice"}


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/nothing/", (404, "not_found")),
        ("POST", "/nothing", (404, "not_found")),
        ("GET", "/api/tickets/0/", (404, "not_found")),
        ("GET", f"/api/tickets/{10**30}/", (404, "not_found")),
        ("GET", f"/api/tickets/{'9' * 5000}/", (404, "not_found")),
        ("GET", "/api/tickets/-1/", (404, "not_found")),
        ("GET", "/api/tickets/%00/", (404, "not_found")),
        ("GET", "/api/tickets/1%0a/", (404, "not_found")),
        ("GET", f"/profiles/{10**30}/tickets/", (404, "not_found")),
        ("GET", f"/api/attachments/{10**30}/", (404, "not_found")),
        ("PUT", "/api/tickets/", (405, "method_not_allowed")),
        ("TRACE", "/api/tickets/", (405, "method_not_allowed")),
        ("GET", "/api/tickets/?format=xml", (404, "not_found")),
    ],
)
def test_what_is_not_there_is_said_in_the_same_shape(
    method: str, path: str, expected: tuple[int, str]
) -> None:
    assert said(Api(agent())(method, path))[:2] == expected


def test_a_host_that_is_not_ours_is_refused_in_the_same_shape() -> None:
    assert (
        said(
            Client(raise_request_exception=False).get(
                "/api/tickets/", headers={"Host": "evil.example"}
            )
        )[0]
        == 400
    )


def test_what_breaks_here_is_503_where_it_passes_and_500_where_it_does_not_and_says_nothing(
    monkeypatch,
) -> None:
    ticket = a_ticket()
    for error, status in (
        (OperationalError("SELECT secret"), 503),
        (OSError("disk"), 503),
        (RuntimeError("secret"), 500),
    ):

        def fail(*_: Any, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(access, "ticket", fail)
        answer = Api(customer())("GET", f"/api/tickets/{ticket.pk}/")
        assert said(answer)[0] == status
        assert b"secret" not in answer.content
        assert ("Retry-After" in answer) == (status == 503)


def test_the_sixty_first_request_in_a_minute_is_429_for_that_user_only(monkeypatch) -> None:
    now = SimpleNamespace(time=lambda: 1_000_000_010.0)
    monkeypatch.setattr(throttling, "time", now)
    cleo, again, ada = Api(customer()), Api(customer()), Api(agent())
    for number in range(60):
        assert (cleo, again)[number % 2](
            "GET", ("/api/tickets/", "/auth/users/me/")[number % 3 == 0]
        ).status_code == 200
    answer = again("GET", "/api/tickets/")
    assert said(answer)[:2] == (429, "throttled")
    assert 0 < int(answer["Retry-After"]) <= 61
    assert cleo("POST", "/api/tickets/", {"title": "a", "description": "b"}).status_code == 429
    assert not Ticket.objects.exists()
    assert ada("GET", "/api/tickets/").status_code == 200
    now.time = lambda: 1_000_000_070.0
    assert cleo("GET", "/api/tickets/").status_code == 200


def test_a_session_writes_with_its_csrf_token_only_and_a_bearer_needs_none() -> None:
    ticket = a_ticket()
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(customer(), backend="helpdesk.auth.EmailBackend")
    path = f"/api/tickets/{ticket.pk}/comments/"
    assert browser.get(path).status_code == 200
    assert said(browser.post(path, {"body": "x"}))[:2] == (403, "permission_denied")
    assert ticket.comments.count() == 1
    token = Api(customer()).headers
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(path, {"body": "x"}, headers=token).status_code == 201


def test_only_whom_we_name_may_ask_from_another_site(settings) -> None:
    asks = {"Origin": "https://shop.example"}
    assert "Access-Control-Allow-Origin" not in Client().get("/api/_meta/", headers=asks).headers
    settings.CORS_ALLOWED_ORIGINS = ["https://shop.example"]
    answer = Client().get("/api/_meta/", headers=asks)
    assert answer["Access-Control-Allow-Origin"] == "https://shop.example"
    assert "ETag" in answer["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Access-Control-Allow-Origin" not in Client().get("/admin/login/", headers=asks).headers


def test_what_the_installation_is_is_said_to_machines() -> None:
    found = Client().get("/.well-known/hackathon.json").json()
    for name in ("schema", "docs", "health", "meta"):
        assert Client().get(found[name]).status_code == 200, name
    meta = Client().get(found["meta"]).json()
    assert meta["statuses"] == ["open", "assigned", "pending", "resolved", "closed"]
    assert meta["priorities"] == ["low", "normal", "high", "urgent"]
    assert meta["attachments"]["max_bytes"] == 5_000_000
    assert {"pdf", "jpg", "png", "docx"} <= set(meta["attachments"]["types"])
