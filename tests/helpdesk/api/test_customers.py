"""What a customer reads by the API: what the portal shows, and no more. The keys that clients of
earlier systems read are there all the same."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone

from helpdesk import actions, history
from helpdesk.actions import Content
from helpdesk.models import Category, CustomField, Identity, Person, Team, Ticket
from tests.helpdesk.api.test_roles import TABLE, named
from tests.support.api import PNG, Api, a_file, a_ticket, said
from tests.support.mail import agent, customer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_counts_yet")]

TAG, TEAM, NOTE, FIELD = "vip-tag", "Blue Team", "Hush", "field-of-ours"
TICKET = {
    "id",
    "title",
    "status",
    "priority",
    "category",
    "custom_fields.seat",
    "requester.id",
    "requester.name",
    "requester.email",
    "requester.role",
    "address_verified",
    "version",
    "created_at",
    "updated_at",
    "resolved_at",
    "closed_at",
}
FILE = {"id", "name", "content_type", "size", "url", "created_at"}
COMMENT = {
    "id",
    "author.id",
    "author.name",
    "author.email",
    "author.role",
    "body",
    "html",
    "visibility",
    "via",
    "is_automatic",
    "created_at",
    "edited_at",
    *(f"attachments.{name}" for name in FILE),
}
EVENT = {"id", "kind", "actor", "description", "created_at"}
WHOLE = TICKET | {
    "description",
    *(f"comments.{name}" for name in COMMENT),
    *(f"attachments.{name}" for name in FILE),
    *(f"history.{name}" for name in EVENT),
}
PROFILE = {
    "id",
    "email",
    "username",
    "name",
    "first_name",
    "last_name",
    "role",
    "language",
    "created_at",
}
PAGE = {"count", "next", "previous", *(f"results.{name}" for name in TICKET)}
SAID, PAIR = {"message"}, {"access", "refresh"}
# What the owner of a ticket may read of each answer that is not an error. "…" is not JSON, or not
# about anybody.
ALLOWED: dict[str, set[str] | None] = {
    "POST /api/send_otp/": SAID,
    "GET /auth/users/me/": PROFILE,
    "POST /auth/users/reset_password/": set(),
    "POST /login/": PAIR | {f"profile.{name}" for name in PROFILE},
    "GET /login/": PROFILE,
    "GET /api/tickets/": PAGE,
    "POST /api/tickets/": WHOLE,
    "GET /api/tickets/{t}/": WHOLE,
    "PUT /api/tickets/{t}/": WHOLE,
    "PATCH /api/tickets/{t}/": WHOLE,
    "DELETE /api/tickets/{t}/": set(),
    "GET /api/tickets/{t}/comments/": COMMENT,
    "POST /api/tickets/{t}/comments/": COMMENT,
    "GET /api/tickets/{t}/comments/{c}/": COMMENT,
    "PUT /api/tickets/{t}/comments/{c}/": COMMENT,
    "PATCH /api/tickets/{t}/comments/{c}/": COMMENT,
    "DELETE /api/tickets/{t}/comments/{c}/": set(),
    "GET /api/tickets/{t}/attachments/": FILE,
    "POST /api/tickets/{t}/attachments/": FILE,
    "GET /api/attachments/{f}/": None,
    "GET /media/{f_path}/": None,
    "POST /add/": {"id", "status", "message"},
    "GET /profiles/{cleo}/tickets/": PAGE,
    "POST /profiles/{cleo}/tickets/": WHOLE,
    "GET /tickets/{t}/": WHOLE,
    "PUT /tickets/{t}/": WHOLE,
    "DELETE /tickets/{t}/": set(),
    "GET /tickets/{t}/messages/": COMMENT,
    "POST /tickets/{t}/messages/": COMMENT,
    "PUT /tickets/{t}/messages/{c}/": COMMENT,
    "DELETE /tickets/{t}/messages/{c}/": set(),
    "GET /api/_meta/": None,
    "GET /api/health/": None,
    "GET /api/schema/": None,
    "GET /api/docs/": None,
    "GET /.well-known/hackathon.json": None,
}
KEYS = {
    "team",
    "tags",
    "assigned_to",
    "is_breached",
    "first_response_due",
    "next_response_due",
    "resolution_due",
}


@pytest.fixture
def world() -> dict[str, Any]:
    """Cleo's ticket as staff have it: with a team, tags, an assignee, due times that were missed,
    fields of their own, notes; Dan takes part, and the agent who answered first has left."""
    cleo, ada, gone, dan = customer(), agent(), agent("Gone"), customer("dan@example.net", "Dan")
    Category.objects.create(name="Billing")
    CustomField.objects.create(slug="seat", label="Seat")
    CustomField.objects.create(slug="risk", label="Risk", for_customers=False)
    mine = a_ticket("Smoke", category=Category.objects.get())
    path = f"/api/tickets/{mine.pk}"
    Api(cleo).upload(f"{path}/comments/", {"body": "Smoke again", "file": a_file(PNG)})
    file = mine.comments.order_by("pk")[1].attachments.get()
    actions.set_custom(mine, {"seat": "12", "risk": FIELD}, actor=ada)
    actions.set_tags(mine, [TAG], actor=ada)
    actions.set_team(mine, Team.objects.create(name=TEAM), actor=ada)
    actions.add_participant(mine, dan, "cc", source="agent", actor=ada)
    actions.note(mine, Content(text=NOTE), actor=ada)
    actions.reply(mine, Content(text="Turn it off"), actor=gone)
    actions.customer_comment(mine, dan, Content(text="It is my printer, too"), via="api")
    Person.objects.filter(pk=gone.pk).update(is_active=False)
    due = timezone.now() - timedelta(days=400)
    Ticket.objects.filter(pk=mine.pk).update(
        is_breached=True,
        first_response_due=due,
        next_response_due=due,
        resolution_due=due,
        status="open",
    )
    comment = mine.comments.order_by("pk")[1]
    return {
        "t": mine.pk,
        "c": comment.pk,
        "f": file.pk,
        "f_path": file.file.name,
        "cleo": cleo.pk,
        "due": due.isoformat()[:10],
    }


def values(answer: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that says something, by its keys; places in lists are not told apart."""
    if isinstance(answer, dict):
        for name, inner in answer.items():
            yield from values(inner, f"{path}.{name}" if path else name)
    elif isinstance(answer, list):
        for inner in answer:
            yield from values(inner, path)
    elif answer not in (None, ""):
        yield path, answer


ROWS = [(method, path, body) for method, path, body, _, owner, *_ in TABLE if owner < 300]


def test_a_customer_reads_what_the_portal_shows_and_no_more(world) -> None:
    cleo, wrong = Api(customer()), []
    for method, path, body in ROWS:
        cache.clear()
        with transaction.atomic():
            url, given = path.format(**world), named(body, world)
            is_upload = isinstance(body, dict) and any(
                isinstance(value, bytes) for value in body.values()
            )
            answer = (
                cleo.upload(url, {"file": a_file(PNG)}) if is_upload else cleo(method, url, given)
            )
            transaction.set_rollback(True)
        if "login" in path and method == "POST":
            continue  # an admin's, who is signed in by it
        assert answer.status_code < 300, (method, path, answer.content[:300])
        allowed = ALLOWED[f"{method} {path}"]
        content = b"".join(answer.streaming_content) if answer.streaming else answer.content
        for secret in (
            TAG,
            TEAM,
            NOTE,
            FIELD,
            "dan@example.net",
            "ada@example.com",
            "gone@example.com",
            world["due"],
        ):
            assert secret.encode() not in content, (method, path, secret)
        if allowed is None or not content:
            continue
        found = list(values(answer.json()))
        wrong += [
            f"{method} {path}: {key} = {value!r}" for key, value in found if key not in allowed
        ]
        if (shown := answer.json()) and allowed in (WHOLE, PAGE):
            for one in shown["results"] if allowed is PAGE else [shown]:
                assert one.keys() >= KEYS, (
                    method,
                    path,
                )  # what earlier clients read is there, and empty
    assert wrong == []


def test_every_answer_that_a_customer_gets_is_in_the_table_and_no_other() -> None:
    assert {f"{method} {path}" for method, path, _ in ROWS} ^ set(ALLOWED) == set()


def test_a_409_shows_a_customer_no_more_either(world) -> None:
    answer = Api(customer())("PATCH", f"/api/tickets/{world['t']}/", {"title": "x"}, if_match='"1"')
    assert answer.status_code == 409
    assert {key for key, _ in values(answer.json()["current"])} <= WHOLE
    assert answer.json()["current"]["team"] is None


@pytest.mark.parametrize(
    "query",
    [
        f"tag={TAG}",
        f"team={TEAM}",
        "is_breached=true",
        "is_breached=false",
        "assigned_to=none",
        "assigned_to=me",
        "ordering=due",
        "ordering=-due",
        "ordering=id,-due",
    ],
)
@pytest.mark.parametrize("path", ["/api/tickets/", "/profiles/{cleo}/tickets/"])
def test_what_a_customer_may_not_read_they_cannot_find_out_by_filtering(
    world, path: str, query: str
) -> None:
    field = re.split("=", query)[0]
    url = f"{path.format(**world)}?{query}"
    assert said(Api(customer())("GET", url)) == (403, "permission_denied", field)
    assert Api(agent())("GET", url).status_code == 200


def test_staff_read_all_of_it(world) -> None:
    found = Api(agent())("GET", f"/api/tickets/{world['t']}/").json()
    assert (found["team"], found["tags"], found["is_breached"]) == (TEAM, [TAG], True)
    assert found["first_response_due"].startswith(world["due"])
    assert found["custom_fields"] == {"seat": "12", "risk": FIELD}
    assert found["requester"]["email"] == "cleo@example.net"


@pytest.mark.parametrize("named_agent", [True, False])
def test_an_agents_address_is_shown_neither_in_the_portal_nor_by_the_api_though_they_have_no_name_or_have_left(
    world, client, named_agent: bool
) -> None:
    gone = Person.objects.filter(email="gone@example.com")
    if not named_agent:
        gone.update(name="", is_active=True)
    client.force_login(customer(), backend="helpdesk.auth.EmailBackend")
    page = client.get(f"/portal/tickets/{world['t']}/").content.decode()
    assert "gone@example.com" not in page
    assert (
        b"gone@example.com"
        not in Api(customer())("GET", f"/tickets/{world['t']}/messages/").content
    )
    assert ("Gone" in page) is named_agent
    if named_agent:
        Identity.objects.create(mailbox=Ticket.objects.get().mailbox, shows_agent=False)
        assert "Gone" not in client.get(f"/portal/tickets/{world['t']}/").content.decode()


def test_a_ticket_that_was_taken_out_of_somebody_elses_does_not_name_it(world) -> None:
    ticket = Ticket.objects.get()
    history.record(ticket, "opened", agent(), via="detached", **{"from": 4711})
    assert b"4711" not in Api(customer())("GET", f"/api/tickets/{ticket.pk}/").content
