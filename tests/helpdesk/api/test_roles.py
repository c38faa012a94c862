"""Every path of the API with every method, from the side of nobody, its owner, another customer, an
agent, an admin."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.db import transaction

from helpdesk import actions
from helpdesk.actions import Content
from helpdesk.api import urls
from helpdesk.models import Category, Person, Team
from tests.support.api import PNG, Api, a_file, a_ticket, admin, said
from tests.support.mail import agent, customer, mailbox

pytestmark = pytest.mark.django_db

TICKET = {"title": "New", "description": "Words"}
NEW = {
    "email": "cleo@example.net",
    "password": "a long phrase of mine",
    "re_password": "a long phrase of mine",
}
FILE = {"file": PNG}
# Who: nobody, the ticket's owner, another customer, an agent, an admin. "{t}" in a path or a body
# is an id of the world below: tickets t (cleo's) and m (cleo's, and ada's to work on), comments c
# (cleo's) and n (ada's note), their files f and g with their paths in the storage, people cleo, ada
# and ben.
TABLE: list[tuple[str, str, Any, int, int, int, int, int]] = [
    ("POST", "/api/send_otp/", {"email": "cleo@example.net"}, 200, 200, 200, 200, 200),
    (
        "POST",
        "/api/verify_otp/",
        {"email": "cleo@example.net", "otp": "000000"},
        400,
        400,
        400,
        400,
        400,
    ),
    ("POST", "/auth/users/", NEW, 400, 400, 400, 400, 400),
    ("POST", "/signup/", NEW, 400, 400, 400, 400, 400),
    ("GET", "/auth/users/me/", None, 401, 200, 200, 200, 200),
    ("POST", "/auth/users/reset_password/", {"email": "cleo@example.net"}, 204, 204, 204, 204, 204),
    (
        "POST",
        "/auth/users/reset_password_confirm/",
        {"uid": "MQ", "token": "x", "new_password": "a long phrase"},
        400,
        400,
        400,
        400,
        400,
    ),
    (
        "POST",
        "/auth/users/set_password/",
        {"current_password": "x", "new_password": "x"},
        401,
        400,
        400,
        400,
        400,
    ),
    (
        "POST",
        "/auth/jwt/create/",
        {"email": "ada@example.com", "password": "wrong"},
        401,
        401,
        401,
        401,
        401,
    ),
    ("POST", "/auth/jwt/refresh/", {"refresh": "x"}, 401, 401, 401, 401, 401),
    ("POST", "/auth/jwt/verify/", {"token": "x"}, 401, 401, 401, 401, 401),
    ("POST", "/auth/jwt/logout/", {"refresh": "x"}, 401, 401, 401, 401, 401),
    (
        "POST",
        "/login/",
        {"email": "root@example.com", "password": "correct horse battery"},
        200,
        200,
        200,
        200,
        200,
    ),
    ("GET", "/login/", None, 401, 200, 200, 200, 200),
    ("POST", "/logout/", {"refresh": "x"}, 401, 401, 401, 401, 401),
    ("POST", "/api/users/login/", {"pin": "0000-0000-0000"}, 401, 401, 401, 401, 401),
    ("POST", "/api/token/refresh/", {"refresh": "x"}, 401, 401, 401, 401, 401),
    ("GET", "/api/tickets/", None, 401, 200, 200, 200, 200),
    ("POST", "/api/tickets/", TICKET, 401, 201, 201, 201, 201),
    ("POST", "/api/tickets/", {**TICKET, "tags": ["vip"]}, 401, 403, 403, 201, 201),
    ("POST", "/api/tickets/", {**TICKET, "customer": "new@example.org"}, 401, 403, 403, 201, 201),
    ("POST", "/api/tickets/bulk/", {"ids": ["{t}"], "status": "closed"}, 401, 403, 403, 200, 200),
    ("GET", "/api/tickets/{t}/", None, 401, 200, 404, 200, 200),
    ("PUT", "/api/tickets/{t}/", {"title": "Other"}, 401, 200, 404, 200, 200),
    ("PATCH", "/api/tickets/{t}/", {"title": "Other"}, 401, 200, 404, 200, 200),
    ("PATCH", "/api/tickets/{t}/", {"description": "Other"}, 401, 200, 404, 400, 400),
    ("PATCH", "/api/tickets/{t}/", {"priority": "high"}, 401, 403, 404, 200, 200),
    ("PATCH", "/api/tickets/{t}/", {"category": "Billing"}, 401, 200, 404, 200, 200),
    ("PATCH", "/api/tickets/{t}/", {"custom_fields": {}}, 401, 200, 404, 200, 200),
    ("PATCH", "/api/tickets/{t}/", {"status": "closed"}, 401, 403, 404, 200, 200),
    ("PATCH", "/api/tickets/{t}/", {"tags": ["vip"]}, 401, 403, 404, 200, 200),
    ("PATCH", "/api/tickets/{t}/", {"team": "First line"}, 401, 403, 404, 200, 200),
    ("PATCH", "/api/tickets/{t}/", {"assigned_to": "{ada}"}, 401, 403, 404, 200, 200),
    ("PATCH", "/api/tickets/{t}/", {"assigned_to": "{ben}"}, 401, 403, 404, 403, 200),
    ("PATCH", "/api/tickets/{t}/", {"assigned_to": "{cleo}"}, 401, 403, 404, 400, 400),
    ("PATCH", "/api/tickets/{m}/", {"assigned_to": None}, 401, 403, 404, 200, 200),
    ("DELETE", "/api/tickets/{t}/", None, 401, 204, 404, 403, 204),
    ("GET", "/api/tickets/{t}/comments/", None, 401, 200, 404, 200, 200),
    ("POST", "/api/tickets/{t}/comments/", {"body": "Hm"}, 401, 201, 404, 201, 201),
    (
        "POST",
        "/api/tickets/{t}/comments/",
        {"body": "Hm", "visibility": "internal"},
        401,
        403,
        404,
        201,
        201,
    ),
    ("GET", "/api/tickets/{t}/comments/{c}/", None, 401, 200, 404, 200, 200),
    ("PUT", "/api/tickets/{t}/comments/{c}/", {"body": "Hm"}, 401, 200, 404, 403, 403),
    ("PATCH", "/api/tickets/{t}/comments/{c}/", {"body": "Hm"}, 401, 200, 404, 403, 403),
    ("DELETE", "/api/tickets/{t}/comments/{c}/", None, 401, 204, 404, 403, 204),
    ("GET", "/api/tickets/{t}/comments/{n}/", None, 401, 404, 404, 200, 200),
    ("PUT", "/api/tickets/{t}/comments/{n}/", {"body": "Hm"}, 401, 404, 404, 200, 403),
    ("DELETE", "/api/tickets/{t}/comments/{n}/", None, 401, 404, 404, 204, 204),
    ("GET", "/api/tickets/{m}/comments/{c}/", None, 401, 404, 404, 404, 404),
    ("GET", "/api/tickets/{t}/attachments/", None, 401, 200, 404, 200, 200),
    ("POST", "/api/tickets/{t}/attachments/", FILE, 401, 201, 404, 201, 201),
    ("GET", "/api/attachments/{f}/", None, 401, 200, 404, 200, 200),
    ("GET", "/api/attachments/{g}/", None, 401, 404, 404, 200, 200),
    ("GET", "/media/{f_path}/", None, 401, 200, 404, 200, 200),
    ("GET", "/media/{g_path}/", None, 401, 404, 404, 200, 200),
    ("GET", "/api/agent/tickets/", None, 401, 403, 403, 200, 200),
    (
        "POST",
        "/api/agent/tickets/",
        {"ticket_id": "{m}", "status": "pending"},
        401,
        403,
        403,
        200,
        200,
    ),
    (
        "POST",
        "/api/agent/tickets/",
        {"ticket_id": "{t}", "status": "closed"},
        401,
        403,
        403,
        403,
        200,
    ),
    ("POST", "/api/agent/tickets/claim/", {"ticket_id": "{t}"}, 401, 403, 403, 200, 200),
    ("POST", "/api/agent/tickets/claim/", {}, 401, 403, 403, 200, 200),
    (
        "POST",
        "/add/",
        {"name": "Gus", "email": "gus@example.org", "description": "Hm"},
        201,
        201,
        201,
        201,
        201,
    ),
    ("PATCH", "/update_status/{t}/", {"status": "closed"}, 401, 403, 403, 200, 200),
    ("DELETE", "/delete/{t}/", None, 401, 403, 403, 403, 204),
    ("GET", "/tickets/", None, 401, 403, 403, 200, 200),
    ("GET", "/profiles/{cleo}/tickets/", None, 401, 200, 404, 200, 200),
    ("POST", "/profiles/{cleo}/tickets/", TICKET, 401, 201, 404, 201, 201),
    ("GET", "/tickets/{t}/", None, 401, 200, 404, 200, 200),
    ("PUT", "/tickets/{t}/", {"title": "Other"}, 401, 200, 404, 200, 200),
    ("PATCH", "/tickets/{t}/", {"priority": "high"}, 401, 403, 404, 200, 200),
    ("DELETE", "/tickets/{t}/", None, 401, 204, 404, 403, 204),
    ("GET", "/tickets/{t}/messages/", None, 401, 200, 404, 200, 200),
    ("POST", "/tickets/{t}/messages/", {"body": "Hm"}, 401, 201, 404, 201, 201),
    ("PUT", "/tickets/{t}/messages/{c}/", {"body": "Hm"}, 401, 200, 404, 403, 403),
    ("DELETE", "/tickets/{t}/messages/{c}/", None, 401, 204, 404, 403, 204),
    ("DELETE", "/tickets/{t}/messages/{n}/", None, 401, 404, 404, 204, 204),
    ("GET", "/api/_meta/", None, 200, 200, 200, 200, 200),
    ("GET", "/api/ledger/", None, 401, 403, 403, 200, 200),
    ("GET", "/api/health/", None, 200, 200, 200, 200, 200),
    ("GET", "/api/schema/", None, 200, 200, 200, 200, 200),
    ("GET", "/api/docs/", None, 200, 200, 200, 200, 200),
    ("GET", "/.well-known/hackathon.json", None, 200, 200, 200, 200, 200),
]


@pytest.fixture(autouse=True)
def _no_counts_yet() -> None:
    cache.clear()


@pytest.fixture
def world() -> dict[str, Any]:
    cleo, ada, ben = customer(), agent(), agent("Ben")
    customer("dan@example.net", "Dan"), admin(), mailbox()
    Category.objects.create(name="Billing"), Team.objects.create(name="First line")
    mine = a_ticket("Smoke signals")
    path = f"/api/tickets/{mine.pk}"
    Api(cleo).upload(f"{path}/comments/", {"body": "Smoke again", "file": a_file(PNG)})
    Api(ada).upload(
        f"{path}/comments/", {"body": "Hush", "visibility": "internal", "file": a_file(PNG)}
    )
    _, comment, note = mine.comments.order_by("pk")
    file, hidden = comment.attachments.get(), note.attachments.get()
    moving = a_ticket("Slow")
    actions.assign(moving, ada, actor=ada)
    actions.note(moving, Content(text="Hush"), actor=ada)
    return {
        "t": mine.pk,
        "m": moving.pk,
        "c": comment.pk,
        "n": note.pk,
        "f": file.pk,
        "g": hidden.pk,
        "f_path": file.file.name,
        "g_path": hidden.file.name,
        "cleo": cleo.pk,
        "ada": ada.pk,
        "ben": ben.pk,
    }


VIEWERS = {
    "nobody": "",
    "owner": "cleo@example.net",
    "another customer": "dan@example.net",
    "agent": "ada@example.com",
    "admin": "root@example.com",
}


def named(value: Any, world: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {name: named(inner, world) for name, inner in value.items()}
    if isinstance(value, list):
        return [named(inner, world) for inner in value]
    if isinstance(value, str) and (whole := re.fullmatch(r"\{(\w+)\}", value)):
        return world[whole[1]]
    return value


def ask(method: str, path: str, body: Any, who: str) -> Any:
    cache.clear()
    api = Api(Person.objects.filter(email=VIEWERS[who]).first())
    if isinstance(body, dict) and any(isinstance(value, bytes) for value in body.values()):
        return api.upload(path, {name: a_file(value) for name, value in body.items()})
    return api(method, path, body)


def test_each_of_the_five_gets_the_answer_that_is_theirs_and_no_word_that_is_not(world) -> None:
    wrong = []
    for method, path, body, *expected in TABLE:
        got = []
        for who in VIEWERS:
            with transaction.atomic():
                answer = ask(method, path.format(**world), named(body, world), who)
                transaction.set_rollback(True)
            got.append(answer.status_code)
            content = b"".join(answer.streaming_content) if answer.streaming else answer.content
            if answer.status_code >= 400:
                assert answer.json()["error"]["code"]
            if who in {"nobody", "another customer"}:
                assert b"Smoke" not in content, (method, path, who)
            if who not in {"agent", "admin"}:
                assert b"Hush" not in content, (method, path, who)
                assert b"ada@example.com" not in content, (method, path, who)
        if got != expected:
            wrong.append(f"{method} {path} {body}: {got}, not {expected}")
    assert not wrong, "\n".join(wrong)


def test_without_its_last_slash_a_path_is_the_same_path(world) -> None:
    for method, path in sorted({(row[0], row[1].format(**world)) for row in TABLE}):
        answers = []
        for one in (path, path.removesuffix("/")):
            with transaction.atomic():
                answers.append(
                    ask(
                        method, one, None if method == "GET" else {"email": "x"}, "agent"
                    ).status_code
                )
                transaction.set_rollback(True)
        assert answers[0] == answers[1], (method, path)


def routes() -> Iterator[tuple[str, set[str]]]:
    """Each route of the API with the methods that its view has."""
    for route in urls.urlpatterns:
        view = getattr(route.callback, "view_class", None) or getattr(route.callback, "cls", None)
        given = getattr(route.callback, "actions", None) or [
            name for name in ("get", "post", "put", "patch", "delete") if hasattr(view, name)
        ]
        yield str(route.pattern), {name.upper() for name in given} or {"GET"}


def test_every_route_is_in_the_table_with_every_method_that_it_has() -> None:
    missing = [
        f"{method} /{pattern}"
        for pattern, methods in routes()
        for method in methods
        if not any(
            row[0] == method
            and re.fullmatch(
                re.sub(r"<[^>]+>", "[^/]+", pattern),
                re.sub(r"\{f_path\}", "tickets/1/x", row[1])[1:],
            )
            for row in TABLE
        )
    ]
    assert missing == []


def test_what_a_route_has_no_method_for_is_405_in_the_same_shape(world) -> None:
    wrong = []
    for pattern, methods in routes():
        path = "/" + re.sub(r"<[^>]+>", str(world["t"]), pattern)
        for method in sorted({"GET", "POST", "PUT", "PATCH", "DELETE"} - methods):
            answer = ask(method, path, None if method == "GET" else {}, "admin")
            if answer.status_code != 405:
                wrong.append(f"{method} {path}: {answer.status_code}")
            elif path not in {"/api/schema/", "/api/docs/"}:  # in YAML and HTML
                assert said(answer)[1] == "method_not_allowed"
        if ask("OPTIONS", path, None, "admin").status_code not in {200, 405}:
            wrong.append(f"OPTIONS {path}")
    assert not wrong, "\n".join(wrong)


def test_an_agent_of_another_team_sees_as_little_as_a_stranger_where_teams_see_their_own(
    world, settings
) -> None:
    settings.AGENTS_SEE = "teams"
    mine = a_ticket("Theirs")
    actions.set_team(mine, Team.objects.get(), actor=None)
    for method, path, body, *_, expected, _ in TABLE:
        if "{t}" not in path or expected >= 400:
            continue
        world["t"] = mine.pk
        assert ask(method, path.format(**world), named(body, world), "agent").status_code == 404, (
            method,
            path,
        )


def test_somebody_whose_account_is_switched_off_is_nobody(world) -> None:
    api = Api(Person.objects.get(email="ada@example.com"))
    Person.objects.update(is_active=False)
    for path in (
        "/api/tickets/",
        f"/api/tickets/{world['t']}/",
        "/api/agent/tickets/",
        f"/api/attachments/{world['f']}/",
    ):
        assert api("GET", path).status_code == 401
