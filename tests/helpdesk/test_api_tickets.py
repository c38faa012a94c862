"""Tickets by the API: opening, changing under a version, several at once, and what is said on them."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from helpdesk import access, actions
from helpdesk.api import tickets as views
from helpdesk.models import (
    Category,
    Comment,
    CustomField,
    Event,
    Identity,
    OutboundMail,
    Participant,
    Person,
    Tag,
    Team,
    Ticket,
)
from tests.api import PNG, Api, a_file, a_ticket, admin, said
from tests.mail import agent, customer, deliver_all, eml, mailbox, receive, ticket_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_counts_yet")]


@pytest.fixture
def ticket() -> Ticket:
    return a_ticket()


def path_of(ticket: Ticket) -> str:
    return f"/api/tickets/{ticket.pk}/"


def say(api: Api, ticket: Ticket, body: str = "Hm", **more: Any) -> int:
    answer = api("POST", path_of(ticket) + "comments/", {"body": body, **more})
    assert answer.status_code == 201, answer.content
    return int(answer.json()["id"])


def kinds(ticket: Ticket) -> list[str]:
    return list(Event.objects.filter(ticket=ticket).order_by("pk").values_list("kind", flat=True))


# --- Opening


def test_a_ticket_carries_its_words_comments_files_and_history(cleo: Api) -> None:
    Category.objects.create(name="Billing", team=Team.objects.create(name="First line"))
    mailbox()
    given = {"title": " The  printer ", "description": "It\r\nsmokes", "priority": "high", "category": "Billing"}
    answer = cleo("POST", "/api/tickets", given)
    found = answer.json()
    assert (answer.status_code, answer["ETag"]) == (201, f'"{found["version"]}"')
    assert (found["title"], found["description"], found["status"]) == ("The printer", "It\nsmokes", "open")
    assert (found["priority"], found["category"], found["team"]) == ("high", "Billing", None)
    assert (found["requester"]["email"], found["assigned_to"]) == ("cleo@example.net", None)
    (comment,) = found["comments"]
    assert (comment["body"], comment["author"]["email"], comment["via"]) == ("It\nsmokes", "cleo@example.net", "api")
    assert [event["kind"] for event in found["history"]] == ["opened"]
    assert cleo("GET", f"/api/tickets/{found['id']}").json() == found
    (mail,) = deliver_all()
    assert b"X-Helpdesk-Mail: acknowledgement" in mail


def test_a_multipart_ticket_has_its_files_and_custom_fields(cleo: Api) -> None:
    CustomField.objects.create(slug="serial", label="Serial")
    mailbox()
    data = {"title": "a", "description": "b", "custom_fields": '{"serial": "A1"}', "priority": "low"}
    found = cleo.upload("/api/tickets/", {**data, "attachments": [a_file(PNG, "1.png"), a_file(PNG, "2.png")]}).json()
    assert [item["name"] for item in found["attachments"]] == ["1.png", "2.png"]
    assert [item["name"] for item in found["comments"][0]["attachments"]] == ["1.png", "2.png"]
    assert (found["custom_fields"], found["priority"]) == ({"serial": "A1"}, "low")


def test_staff_open_a_ticket_for_a_customer_who_sees_it(ada: Api) -> None:
    mailbox()
    answer = ada("POST", "/api/tickets/", {"title": "a", "description": "b", "customer": "New@example.org"})
    new = Person.objects.get(email="new@example.org")
    assert answer.json()["requester"]["id"] == new.pk
    assert (new.role, new.has_usable_password()) == ("user", False)
    assert Api(new)("GET", f"/api/tickets/{answer.json()['id']}/").status_code == 200
    assert Event.objects.get(kind="opened").actor == agent()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "title"),
        ({"title": "   ", "description": "b"}, "title"),
        ({"title": "x" * 501, "description": "b"}, "title"),
        ({"title": "a\0", "description": "b"}, "title"),
        ({"title": "a", "description": ""}, "description"),
        ({"title": "a", "description": "x" * 100_001}, "description"),
        ({"title": ["a"], "description": "b"}, "title"),
        ({"title": "a", "description": "b", "priority": "highest"}, "priority"),
        ({"title": "a", "description": "b", "category": "Unknown"}, "category"),
        ({"title": "a", "description": "b", "category": 1}, "category"),
        ({"title": "a", "description": "b", "attachments": ["text"]}, "attachments.0"),
    ],
)
def test_what_is_wrong_with_a_new_ticket_is_named_and_nothing_is_made(given: Any, field: str, cleo: Api) -> None:
    mailbox()
    assert said(cleo("POST", "/api/tickets/", given))[::2] == (400, field)
    assert not Ticket.objects.exists()
    assert not OutboundMail.objects.exists()


# --- Custom fields and tags


@pytest.fixture
def custom() -> None:
    make = CustomField.objects.create
    make(slug="serial", label="Serial")
    make(slug="floor", label="Floor", kind="number")
    make(slug="since", label="Since", kind="date")
    make(slug="size", label="Size", kind="choice", choices="small\nlarge")
    make(slug="urgent", label="Urgent", kind="checkbox")
    make(slug="margin", label="Margin", for_customers=False)


def test_custom_fields_are_kept_as_what_they_are(ticket: Ticket, custom, cleo: Api, ada: Api) -> None:
    given = {"serial": "A1", "floor": "3", "since": "2026-02-28", "size": "large", "urgent": "yes"}
    found = cleo("PATCH", path_of(ticket), {"custom_fields": given}).json()["custom_fields"]
    assert found == {"serial": "A1", "floor": 3, "since": "2026-02-28", "size": "large", "urgent": True}
    found = cleo("PATCH", path_of(ticket), {"custom_fields": {"floor": None, "urgent": False}}).json()["custom_fields"]
    assert found == {"serial": "A1", "since": "2026-02-28", "size": "large", "urgent": False}
    assert ada("PATCH", path_of(ticket), {"custom_fields": {"margin": "thin"}}).json()["custom_fields"]["margin"]
    assert "margin" not in cleo("GET", path_of(ticket)).json()["custom_fields"]
    assert "margin" not in cleo("GET", "/api/tickets/").json()["results"][0]["custom_fields"]
    assert "margin" not in {field["name"] for field in cleo("GET", "/api/_meta/").json()["custom_fields"]}
    assert ada("GET", path_of(ticket)).json()["version"] == 4


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"floor": "high"}, "custom_fields.floor"),
        ({"floor": True}, "custom_fields.floor"),
        ({"floor": 10**400}, "custom_fields.floor"),
        ({"since": "2026-02-30"}, "custom_fields.since"),
        ({"size": "medium"}, "custom_fields.size"),
        ({"urgent": "perhaps"}, "custom_fields.urgent"),
        ({"serial": 5}, "custom_fields.serial"),
        ({"serial": "x" * 2001}, "custom_fields.serial"),
        ({"serial": "\0"}, "custom_fields.serial"),
        ({"margin": "thin"}, "custom_fields.margin"),
        ({"other": "x"}, "custom_fields.other"),
        ({"serial": "fine", "floor": []}, "custom_fields.floor"),
        ([], "custom_fields"),
        ("text", "custom_fields"),
        (5, "custom_fields"),
    ],
)
def test_a_custom_field_that_is_wrong_is_named_and_nothing_is_changed(
    given: Any, field: str, ticket: Ticket, custom, cleo: Api
) -> None:
    assert said(cleo("PATCH", path_of(ticket), {"custom_fields": given}))[::2] == (400, field)
    body = {"title": "a", "description": "b", "custom_fields": given}
    assert said(cleo("POST", "/api/tickets/", body))[::2] == (400, field)
    ticket.refresh_from_db()
    assert (ticket.custom, ticket.version, Ticket.objects.count()) == ({}, 1, 1)
    assert cleo("GET", "/api/tickets/").status_code == 200


HALF = "\ud800"  # of a pair: JSON can write it, no database and no answer can
HALVES = [
    {"title": HALF}, {"description": HALF}, {"priority": HALF}, {"category": HALF}, {"status": HALF}, {"team": HALF},
    {"tags": [HALF]}, {"custom_fields": {"serial": HALF}}, {"custom_fields": {HALF: "x"}}, {"body": HALF},
    {"visibility": HALF, "body": "x"},
]  # fmt: skip


@pytest.mark.parametrize("half", HALVES, ids=lambda half: ascii(half))
def test_half_a_character_is_refused_and_never_kept(half: Any, ticket: Ticket, custom, ada: Api, cleo: Api) -> None:
    for api in (ada, cleo):
        for method, path, body in (
            ("PATCH", path_of(ticket), half), ("POST", "/api/tickets/", {"title": "a", "description": "b", **half}),
            ("POST", path_of(ticket) + "comments/", half),
        ):  # fmt: skip
            assert said(api(method, path, body))[0] in {400, 403}, (method, path)
        if "custom_fields" in half:
            data = {"title": "a", "description": "b", "custom_fields": json.dumps(half["custom_fields"])}
            assert said(api.upload("/api/tickets/", data))[0] == 400
        assert api("GET", "/api/tickets/").json()["count"] == 1
        assert api("GET", path_of(ticket)).status_code == 200
    assert Tag.objects.count() == 0


def test_a_required_field_is_required_of_customers_and_not_of_staff(cleo: Api, ada: Api) -> None:
    CustomField.objects.create(slug="serial", label="Serial", is_required=True)
    mailbox()
    body = {"title": "a", "description": "b"}
    assert said(cleo("POST", "/api/tickets/", body))[::2] == (400, "custom_fields.serial")
    assert cleo("POST", "/api/tickets/", {**body, "custom_fields": {"serial": "A1"}}).status_code == 201
    assert ada("POST", "/api/tickets/", body).status_code == 201


def test_tags_are_words_in_lower_case_each_once(ticket: Ticket, ada: Api, cleo: Api) -> None:
    found = ada("PATCH", path_of(ticket), {"tags": [" VIP", "vip", "big  order"]}).json()
    assert found["tags"] == ["big order", "vip"]
    assert cleo("GET", path_of(ticket)).json()["tags"] == []
    assert ada("PATCH", path_of(ticket), {"tags": []}).json()["tags"] == []
    assert Tag.objects.count() == 2
    many = [f"tag {number}" for number in range(31)]
    for wrong in (many, "vip", ["x" * 51], [["x"]]):
        status, _, field = said(ada("PATCH", path_of(ticket), {"tags": wrong}))
        assert (status, str(field).partition(".")[0]) == (400, "tags")


# --- Changing


def test_an_owner_changes_it_while_it_is_open_and_not_after(ticket: Ticket, cleo: Api) -> None:
    Category.objects.create(name="Billing")
    changes = [{"title": "T"}, {"description": "D"}, {"category": "Billing"}]
    for path in (path_of(ticket), f"/tickets/{ticket.pk}"):
        for change in changes:
            assert cleo("PUT", path, change).status_code == 200, change
    found = cleo("GET", path_of(ticket)).json()
    assert (found["title"], found["description"], found["category"]) == ("T", "D", "Billing")
    assert cleo("PATCH", path_of(ticket), {"category": None}).json()["category"] is None
    assert kinds(ticket) == ["opened", "subject", "comment-edited", "category", "category"]
    actions.assign(ticket, agent(), actor=agent())
    for change in [{"title": "U"}, {"description": "E"}, {"category": "Billing"}, {"custom_fields": {}}]:
        assert cleo("PATCH", path_of(ticket), change).status_code == 400, change
    assert cleo("GET", path_of(ticket)).json()["title"] == "T"


def test_whoever_only_takes_part_may_read_and_write_on_it_and_change_nothing(ticket: Ticket) -> None:
    dan = customer("dan@example.net", "Dan")
    actions.add_participant(ticket, dan, "cc", source="agent", actor=agent())
    api = Api(dan)
    assert api("GET", path_of(ticket)).status_code == 200
    say(api, ticket)
    Category.objects.create(name="Billing")
    for change in (
        {"title": "U"}, {"description": "E"}, {"priority": "low"}, {"category": "Billing"}, {"custom_fields": {"a": 1}},
    ):  # fmt: skip
        assert said(api("PATCH", path_of(ticket), change))[:2] == (403, "permission_denied"), change
    assert said(api("DELETE", path_of(ticket)))[0] == 403
    ticket.refresh_from_db()
    assert (ticket.version, ticket.status) == (1, "open")


def test_what_came_by_mail_is_never_changed(ada: Api, cleo: Api) -> None:
    ticket = ticket_of(receive(eml("Words by mail", message_id="a@example.net")))
    comment = ticket.comments.get()
    paths = [f"{path_of(ticket)}comments/{comment.pk}/", f"/tickets/{ticket.pk}/messages/{comment.pk}/"]
    for api in (cleo, ada, Api(admin())):
        assert api("PATCH", path_of(ticket), {"description": "Other"}).status_code in {400, 403}
        for path in paths:
            assert said(api("PUT", path, {"body": "Other"}))[0] == 403
            assert said(api("DELETE", path))[0] == 403
    comment.refresh_from_db()
    assert comment.text.strip() == "Words by mail"
    assert Comment.objects.count() == 1


def test_all_of_a_change_happens_or_none(ticket: Ticket, ada: Api) -> None:
    change = {"title": "New", "priority": "high", "tags": ["vip"], "assigned_to": agent().pk, "status": "lost"}
    assert said(ada("PATCH", path_of(ticket), change))[2] == "status"
    assert said(ada("PATCH", path_of(ticket), {**change, "status": "pending", "team": "None such"}))[2] == "team"
    ticket.refresh_from_db()
    assert (ticket.subject, ticket.priority, ticket.assignee, ticket.version) == ("Printer", 2, None, 1)
    assert (kinds(ticket), Tag.objects.filter(tickets=ticket).count()) == (["opened"], 0)
    found = ada("PATCH", path_of(ticket), {**change, "status": "pending"}).json()
    assert (found["status"], found["title"], found["tags"]) == ("pending", "New", ["vip"])


def test_moves_that_there_are_not_are_explained(ticket: Ticket, ada: Api) -> None:
    for status in ("resolved", "pending", "assigned"):
        assert said(ada("PATCH", path_of(ticket), {"status": status})) == (400, "refused", "status")
    assert ada("PATCH", path_of(ticket), {"status": "open"}).json()["version"] == 1
    for api in (ada, Api(admin())):
        assert said(api("PATCH", path_of(ticket), {"assigned_to": 999_999})) == (400, "refused", "assigned_to")


def test_an_owner_withdraws_it_closed_with_an_event_and_an_admin_deletes_it_for_good(cleo: Api) -> None:
    for path in ("/api/tickets/{}/", "/tickets/{}"):
        ticket = a_ticket()
        assert cleo("DELETE", path.format(ticket.pk)).status_code == 204
        ticket.refresh_from_db()
        assert (ticket.status, kinds(ticket)) == ("closed", ["opened", "status"])
        assert ticket.closed_at
        assert Event.objects.filter(ticket=ticket).last().data["why"] == "withdrawn"
        assert cleo("GET", path.format(ticket.pk)).json()["status"] == "closed"
        say(Api(agent()), ticket, visibility="internal")
        assert Api(admin())("DELETE", path.format(ticket.pk)).status_code == 204
        assert cleo("GET", path.format(ticket.pk)).status_code == 404
        assert not Ticket.objects.filter(pk=ticket.pk).exists()
        assert not Comment.objects.exists()


def test_a_deleted_ticket_does_not_come_back_with_its_mail_and_leaves_no_words(cleo: Api) -> None:
    raw = eml("Words by mail", message_id="a@example.net")
    ticket = ticket_of(receive(raw))
    assert Api(admin())("DELETE", f"/delete/{ticket.pk}").status_code == 204
    receive(raw)
    assert not Ticket.objects.exists()
    assert Api(agent())("GET", "/api/tickets/?search=words").json()["count"] == 0


# --- Versions


def test_a_change_of_what_somebody_else_has_changed_is_409_with_what_it_is_now(ticket: Ticket, ada: Api) -> None:
    assert ada("PATCH", path_of(ticket), {"priority": "high", "version": 1})["ETag"] == '"2"'
    for stale, headers in (({"version": 1}, {}), ({}, {"if_match": '"1"'}), ({}, {"if_match": 'W/"1"'})):
        for method, path in (
            ("PATCH", path_of(ticket)), ("PUT", path_of(ticket)), ("PUT", f"/tickets/{ticket.pk}"),
            ("PATCH", f"/update_status/{ticket.pk}"),
        ):  # fmt: skip
            answer = ada(method, path, {"status": "closed", **stale}, **headers)
            assert answer.status_code == 409, (path, stale, headers)
            assert answer["ETag"] == '"2"'
            assert set(answer.json()) == {"error", "current"}
            assert answer.json()["error"]["code"] == "conflict"
            assert (answer.json()["current"]["version"], answer.json()["current"]["priority"]) == (2, "high")
    ticket.refresh_from_db()
    assert ticket.status == "open"
    assert ada("PATCH", path_of(ticket), {"status": "closed"}, if_match='"2"').json()["version"] == 3
    assert ada("PATCH", path_of(ticket), {"status": "open"}, if_match="*").json()["version"] == 4
    assert ada("PATCH", path_of(ticket), {"status": "closed"}).json()["version"] == 5


def test_nothing_is_deleted_or_withdrawn_under_a_version_that_is_not_so_any_more(ticket: Ticket, cleo: Api) -> None:
    actions.set_priority(ticket, 3, actor=agent())
    for path in (path_of(ticket), f"/delete/{ticket.pk}"):
        assert Api(admin())("DELETE", path, if_match='"1"').status_code == 409
    assert cleo("DELETE", path_of(ticket), if_match='"1"').status_code == 409
    ticket.refresh_from_db()
    assert ticket.status == "open"
    assert cleo("DELETE", path_of(ticket), if_match='"2"').status_code == 204


def test_a_409_shows_a_customer_no_more_than_they_may_read(ticket: Ticket, cleo: Api, ada: Api) -> None:
    say(ada, ticket, "Hush", visibility="internal")
    actions.set_priority(ticket, 3, actor=agent())
    answer = cleo("PATCH", path_of(ticket), {"title": "T", "version": 1})
    assert answer.status_code == 409
    assert b"Hush" not in answer.content
    assert b"noted" not in answer.content


@pytest.mark.parametrize("given", [{"version": 0}, {"version": "x"}, {"version": None}, {"version": 2**31}])
def test_a_version_that_is_none_is_named(given: Any, ticket: Ticket, ada: Api) -> None:
    assert said(ada("PATCH", path_of(ticket), {"priority": "high", **given}))[::2] == (400, "version")
    assert said(ada("PATCH", path_of(ticket), {"priority": "high"}, if_match='"abc"'))[::2] == (400, "If-Match")


@pytest.mark.parametrize(
    "change",
    [{"title": "T"}, {"description": "D"}, {"priority": "low"}, {"tags": ["a"]}, {"team": "First line"},
     {"category": "Billing"}, {"custom_fields": {"serial": "x"}}, {"assigned_to": "me"}, {"status": "closed"}],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_each_change_bumps_the_version_once_so_that_of_two_the_second_is_told(change: Any, custom) -> None:
    Team.objects.create(name="First line"), Category.objects.create(name="Billing")
    api = Api(agent())
    ticket = a_ticket(requester=agent())
    change = {name: agent().pk if value == "me" else value for name, value in change.items()}
    found = api("PATCH", path_of(ticket), {**change, "version": 1}).json()
    assert found["version"] == 2
    assert found["updated_at"] > found["created_at"]
    assert api("PATCH", path_of(ticket), {**change, "version": 1}).status_code == 409
    assert api("PATCH", path_of(ticket), {**change, "version": 2}).json()["version"] == 2  # it was so already


def test_comments_do_not_bump_the_version(ticket: Ticket, ada: Api, cleo: Api) -> None:
    actions.assign(ticket, agent(), actor=agent())
    version = ada("GET", path_of(ticket)).json()["version"]
    for step in (
        lambda: say(cleo, ticket, "One"), lambda: say(ada, ticket, "Two"), lambda: say(cleo, ticket, "Three"),
        lambda: say(ada, ticket, "Four", visibility="internal"),
        lambda: cleo.upload(path_of(ticket) + "attachments/", {"file": a_file(PNG)}),
        lambda: cleo("DELETE", f"{path_of(ticket)}comments/{say(cleo, ticket, 'Five')}/"),
    ):  # fmt: skip
        step()
        assert ada("GET", path_of(ticket)).json()["version"] == version
    assert ada("PATCH", path_of(ticket), {"priority": "low", "version": version}).status_code == 200


# --- Several at once


def test_a_bulk_change_says_how_many_changed_and_why_the_others_did_not(ada: Api) -> None:
    one, two = a_ticket("One"), a_ticket("Two")
    actions.assign(one, agent(), actor=agent())
    answer = ada("POST", "/api/tickets/bulk", {"ids": [one.pk, two.pk, one.pk, 999_999], "status": "resolved"}).json()
    assert answer["changed"] == 1
    assert [row["id"] for row in answer["skipped"]] == [two.pk, 999_999]
    assert all(row["reason"] for row in answer["skipped"])
    again = ada("POST", "/api/tickets/bulk/", {"ids": [one.pk], "status": "resolved"}).json()
    assert (again["changed"], again["skipped"][0]["id"]) == (0, one.pk)
    two.refresh_from_db()
    assert two.status == "open"


def test_a_bulk_change_assigns_to_oneself_and_by_an_admin_to_anyone(ticket: Ticket, ada: Api) -> None:
    ben = agent("Ben").pk
    Team.objects.create(name="First line")
    refused = ada("POST", "/api/tickets/bulk/", {"ids": [ticket.pk], "assigned_to": ben}).json()
    assert (refused["changed"], len(refused["skipped"])) == (0, 1)
    assert ada("POST", "/api/tickets/bulk/", {"ids": [ticket.pk], "assigned_to": agent().pk}).json()["changed"] == 1
    body = {"ids": [ticket.pk], "assigned_to": ben, "priority": "urgent"}
    assert Api(admin())("POST", "/api/tickets/bulk/", body).json()["changed"] == 1
    ticket.refresh_from_db()
    assert (ticket.assignee_id, ticket.priority) == (ben, 4)


def test_a_row_that_somebody_else_has_changed_or_deleted_meanwhile_is_skipped_and_the_rest_goes_on(
    ada: Api, monkeypatch
) -> None:
    one, two, three = a_ticket("One"), a_ticket("Two"), a_ticket("Three")
    actions.set_priority(two, 3, actor=agent())
    answer = ada("POST", "/api/tickets/bulk/", {"ids": [one.pk, two.pk, three.pk], "status": "closed"}, if_match='"1"')
    assert answer.status_code == 200
    assert (answer.json()["changed"], [row["id"] for row in answer.json()["skipped"]]) == (2, [two.pk])
    real = views.change

    def late(ticket: Ticket, *rest: Any) -> None:
        if ticket.pk == one.pk:
            actions.delete_ticket(Ticket.objects.get(pk=ticket.pk), actor=admin())
        real(ticket, *rest)

    monkeypatch.setattr(views, "change", late)
    answer = ada("POST", "/api/tickets/bulk/", {"ids": [one.pk, two.pk], "priority": "low"})
    assert answer.status_code == 200
    assert (answer.json()["changed"], [row["id"] for row in answer.json()["skipped"]]) == (1, [one.pk])


@pytest.mark.parametrize(
    ("given", "field"),
    [({"ids": [], "status": "open"}, "ids"), ({"ids": ["x"], "status": "open"}, "ids.0"), ({"ids": [1]}, None),
     ({"ids": list(range(1, 202)), "status": "open"}, "ids"), ({"ids": [1], "status": "lost"}, "status")],
)  # fmt: skip
def test_a_bulk_change_that_is_wrong_is_named(given: Any, field: str | None, ada: Api) -> None:
    assert said(ada("POST", "/api/tickets/bulk/", given))[::2] == (400, field)


def test_a_ticket_that_goes_while_it_is_being_changed_is_404(ticket: Ticket, ada: Api, monkeypatch) -> None:
    real = access.ticket

    def late(viewer: Any, pk: int) -> Ticket:
        found = real(viewer, pk)
        actions.delete_ticket(Ticket.objects.get(pk=pk), actor=admin())
        return found

    monkeypatch.setattr(access, "ticket", late)
    assert said(ada("PATCH", path_of(ticket), {"priority": "low"}))[:2] == (404, "not_found")


# --- What is said


@pytest.mark.parametrize("name", ["Ada Lindqvist", ""])
def test_where_a_mailbox_does_not_show_its_agents_customers_learn_no_name(name: str, ticket: Ticket, cleo: Api) -> None:
    Identity.objects.create(mailbox=ticket.mailbox, shows_agent=False)
    ada = Person.objects.create_user("lindqvist@example.com", name=name, role="agent")
    actions.assign(ticket, ada, actor=ada)
    say(Api(ada), ticket, "Try this")
    actions.set_priority(ticket, 4, actor=ada)
    for path in (path_of(ticket), path_of(ticket) + "comments/", "/api/tickets/"):
        assert b"lindqvist" not in cleo("GET", path).content.lower()
        assert b"lindqvist" in Api(admin())("GET", path).content.lower()


def test_a_customers_comment_reopens_and_tells_the_agent_and_an_agents_is_mailed(
    ticket: Ticket, cleo: Api, ada: Api
) -> None:
    actions.assign(ticket, agent(), actor=agent())
    actions.set_status(ticket, "resolved", actor=agent(), tell=False)
    say(cleo, ticket, "It smokes again")
    ticket.refresh_from_db()
    assert ticket.status == "assigned"
    comment = say(ada, ticket, "Try **this**")
    assert OutboundMail.objects.filter(kind="customer_replied", person=agent()).count() == 1
    mail = OutboundMail.objects.get(kind="reply")
    assert (mail.to_address, mail.comment_id) == ("cleo@example.net", comment)
    shown = cleo("GET", f"{path_of(ticket)}comments/{comment}").json()
    assert "<strong>this</strong>" in shown["html"]
    say(ada, ticket, "Hush", visibility="internal")
    bodies = [row["body"] for row in cleo("GET", path_of(ticket) + "comments").json()]
    assert bodies == ["It smokes", "It smokes again", "Try **this**"]
    assert bodies == [row["body"] for row in cleo("GET", f"/tickets/{ticket.pk}/messages").json()]
    assert [row["body"] for row in ada("GET", path_of(ticket) + "comments/").json()][-1] == "Hush"
    assert OutboundMail.objects.filter(kind="reply").count() == 1


@pytest.mark.parametrize(
    ("given", "field"),
    [({}, "body"), ({"body": " "}, "body"), ({"body": "a", "visibility": "held"}, "visibility"), ({"body": "\0"}, "body"),
     ({"body": "x" * 100_001}, "body")],
)  # fmt: skip
def test_a_comment_that_is_none_is_refused(given: Any, field: str, ticket: Ticket, cleo: Api) -> None:
    for path in (path_of(ticket) + "comments/", f"/tickets/{ticket.pk}/messages/"):
        assert said(cleo("POST", path, given))[::2] == (400, field)
    assert ticket.comments.count() == 1


@pytest.mark.parametrize("path", ["/api/tickets/{}/comments/{}/", "/tickets/{}/messages/{}"])
def test_an_author_changes_or_takes_back_their_message_for_15_minutes(path: str, ticket: Ticket, cleo: Api) -> None:
    url = path.format(ticket.pk, say(cleo, ticket, "Teh"))
    answer = cleo("PUT", url, {"body": "The\r\nend"})
    assert (answer.json()["body"], bool(answer.json()["edited_at"])) == ("The\nend", True)
    assert said(cleo("PUT", url, {"body": " "}))[::2] == (400, "body")
    Comment.objects.update(created_at=timezone.now() - timedelta(minutes=14, seconds=55))
    assert cleo("PUT", url, {"body": "Again"}).status_code == 200
    Comment.objects.update(created_at=timezone.now() - timedelta(minutes=15, seconds=1))
    assert said(cleo("PUT", url, {"body": "Late"}))[:2] == (403, "permission_denied")
    assert said(cleo("DELETE", url))[:2] == (403, "permission_denied")
    Comment.objects.update(created_at=timezone.now())
    assert cleo("DELETE", url).status_code == 204
    assert cleo("GET", f"/api/tickets/{ticket.pk}/comments/").json()[-1]["body"] == "It smokes"
    assert kinds(ticket)[-1] == "comment-deleted"


def test_an_answer_that_was_mailed_is_not_changed_and_a_note_is(ticket: Ticket, ada: Api) -> None:
    mailed = f"{path_of(ticket)}comments/{say(ada, ticket, 'Mailed')}/"
    note = f"{path_of(ticket)}comments/{say(ada, ticket, 'Note', visibility='internal')}/"
    deliver_all()
    assert said(ada("PATCH", mailed, {"body": "Other"}))[0] == 403
    assert said(ada("DELETE", mailed))[0] == 403
    assert ada("PATCH", note, {"body": "*Other*"}).json()["html"].strip() == "<p><em>Other</em></p>"
    assert Api(admin())("DELETE", mailed).status_code == 204


def test_what_opened_the_ticket_is_not_taken_back_alone(ticket: Ticket, cleo: Api) -> None:
    first = ticket.comments.get()
    for api in (cleo, Api(admin())):
        assert said(api("DELETE", f"{path_of(ticket)}comments/{first.pk}/"))[0] == 403
    assert ticket.comments.count() == 1


def test_a_ticket_with_30_comments_takes_as_many_queries_as_one_with_3(ticket: Ticket, ada: Api, cleo: Api) -> None:
    def queries() -> list[int]:
        counted = []
        for api in (ada, cleo):
            for path in (path_of(ticket), path_of(ticket) + "comments/", path_of(ticket) + "attachments/"):
                with CaptureQueriesContext(connection) as found:
                    assert api("GET", path).status_code == 200
                counted.append(len(found))
        return counted

    def more(count: int) -> None:
        for number in range(count):
            api = (ada, cleo)[number % 2]
            api.upload(path_of(ticket) + "comments/", {"body": f"{number}", "file": a_file(PNG)})

    more(3)
    few = queries()
    assert max(few) <= 14
    more(27)
    assert queries() == few


# --- Agents and profiles


def test_an_agents_desk_has_their_own_unsolved_tickets_at_most_15(ada: Api, settings) -> None:
    settings.AGENT_MAX_TICKETS = 100
    for number in range(18):
        actions.assign(a_ticket(f"T{number}", priority=1 + number % 4), agent(), actor=agent())
    a_ticket("Nobody's")
    solved = a_ticket("Solved", priority=4)
    actions.assign(solved, agent(), actor=agent())
    actions.set_status(solved, "resolved", actor=agent())
    found = ada("GET", "/api/agent/tickets").json()
    assert (len(found), found[0]["priority"]) == (15, "urgent")
    assert {row["assigned_to"]["id"] for row in found} == {agent().pk}
    assert "Solved" not in {row["title"] for row in found}
    assert Api(agent("Ben"))("GET", "/api/agent/tickets/").json() == []


def test_a_claimed_ticket_is_its_claimers_and_nobody_elses(ticket: Ticket, ada: Api) -> None:
    ben = Api(agent("Ben"))
    found = ada("POST", "/api/agent/tickets/claim", {"ticket_id": ticket.pk}).json()
    assert (found["status"], found["assigned_to"]["id"]) == ("assigned", agent().pk)
    assert ada("POST", "/api/agent/tickets/claim/", {"ticket_id": ticket.pk}).status_code == 200
    assert said(ben("POST", "/api/agent/tickets/claim/", {"ticket_id": ticket.pk})) == (400, "refused", "ticket_id")
    assert said(ben("POST", "/api/agent/tickets/", {"ticket_id": ticket.pk, "status": "pending"}))[0] == 403
    assert (
        ada("POST", "/api/agent/tickets/", {"ticket_id": ticket.pk, "status": "pending"}).json()["status"] == "pending"
    )
    assert said(ben("POST", "/api/agent/tickets/claim/", {"ticket_id": 999_999}))[0] == 404


def test_without_a_number_the_most_urgent_is_claimed_until_none_waits_or_the_desk_is_full(ada: Api, settings) -> None:
    a_ticket("Later", priority=1), a_ticket("Now", priority=4)
    settings.AGENT_MAX_TICKETS = 1
    assert ada("POST", "/api/agent/tickets/claim/", {}).json()["title"] == "Now"
    assert said(ada("POST", "/api/agent/tickets/claim/", {}))[0] == 400
    settings.AGENT_MAX_TICKETS = 10
    assert ada("POST", "/api/agent/tickets/claim/").json()["title"] == "Later"
    assert said(ada("POST", "/api/agent/tickets/claim/", {}))[0] == 400


def test_a_profiles_tickets_are_those_it_takes_part_in(ticket: Ticket, cleo: Api, ada: Api) -> None:
    dan = customer("dan@example.net", "Dan")
    theirs = a_ticket("Dan's", requester=dan)
    Participant.objects.create(ticket=theirs, person=customer(), role="cc", source="agent")
    path = f"/profiles/{customer().pk}/tickets"
    assert {row["id"] for row in cleo("GET", path).json()["results"]} == {ticket.pk, theirs.pk}
    assert [row["id"] for row in ada("GET", path + "/?status=open&search=printer").json()["results"]] == [ticket.pk]
    opened = ada("POST", path, {"title": "a", "description": "b"}).json()
    assert opened["requester"]["email"] == "cleo@example.net"
    for pk in (dan.pk, agent().pk, 999_999):
        assert said(cleo("GET", f"/profiles/{pk}/tickets/"))[0] == 404
        assert said(cleo("POST", f"/profiles/{pk}/tickets/", {"title": "a", "description": "b"}))[0] == 404


def test_an_agent_who_gives_a_ticket_to_another_team_is_told_that_it_is_done(
    ticket: Ticket, ada: Api, settings
) -> None:
    settings.AGENTS_SEE = "teams"
    Team.objects.create(name="Second line")
    answer = ada("PATCH", path_of(ticket), {"team": "Second line"})
    assert (answer.status_code, answer.json()["team"]) == (200, "Second line")
    assert ada("GET", path_of(ticket)).status_code == 404


@pytest.mark.parametrize("path", ["/api/tickets/{}/", "/tickets/{}/"])
def test_a_priority_is_chosen_at_opening_and_is_the_staffs_after_that(path: str, cleo: Api, ada: Api) -> None:
    mailbox()
    answer = cleo("POST", "/api/tickets/", {"title": "x", "description": "y", "priority": "high"})
    assert answer.json()["priority"] == "high"
    path = path.format(answer.json()["id"])
    for method in ("PATCH", "PUT"):
        assert said(cleo(method, path, {"title": "z", "priority": "urgent"})) == (403, "permission_denied", "priority")
    assert Ticket.objects.get().priority == Ticket.Priority.HIGH
    assert Ticket.objects.get().subject == "x"
    assert ada("PATCH", path, {"priority": "low"}).json()["priority"] == "low"


def test_a_customer_raises_no_priority_at_the_root(ticket: Ticket) -> None:
    with pytest.raises(actions.Refused, match="priority"):
        actions.set_priority(ticket, Ticket.Priority.URGENT, actor=ticket.requester)
