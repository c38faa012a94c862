"""Tickets by the API: opening, reading, changing, ending."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from helpdesk import access, actions
from helpdesk.models import (
    Category,
    Comment,
    CustomField,
    Event,
    OutboundMail,
    Person,
    Tag,
    Team,
    Ticket,
)
from tests.support.api import PNG, Api, a_file, a_ticket, admin, kinds, path_of, said, say
from tests.support.mail import agent, customer, deliver_all, eml, mailbox, receive, ticket_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_counts_yet")]


def test_a_ticket_carries_its_words_comments_files_and_history(cleo: Api) -> None:
    Category.objects.create(name="Billing", team=Team.objects.create(name="First line"))
    mailbox()
    given = {
        "title": " The  printer ",
        "description": "It\r\nsmokes",
        "priority": "high",
        "category": "Billing",
    }
    answer = cleo("POST", "/api/tickets", given)
    found = answer.json()
    assert (answer.status_code, answer["ETag"]) == (201, f'"{found["version"]}"')
    assert (found["title"], found["description"], found["status"]) == (
        "The printer",
        "It\nsmokes",
        "open",
    )
    assert (found["priority"], found["category"], found["team"]) == ("high", "Billing", None)
    assert (found["requester"]["email"], found["assigned_to"]) == ("cleo@example.net", None)
    (comment,) = found["comments"]
    assert (comment["body"], comment["author"]["email"], comment["via"]) == (
        "It\nsmokes",
        "cleo@example.net",
        "api",
    )
    assert [event["kind"] for event in found["history"]] == ["opened"]
    assert cleo("GET", f"/api/tickets/{found['id']}").json() == found
    (mail,) = deliver_all()
    assert b"X-Helpdesk-Mail: acknowledgement" in mail


def test_a_multipart_ticket_has_its_files_and_custom_fields(cleo: Api) -> None:
    CustomField.objects.create(slug="serial", label="Serial")
    mailbox()
    data = {
        "title": "a",
        "description": "b",
        "custom_fields": '{"serial": "A1"}',
        "priority": "low",
    }
    found = cleo.upload(
        "/api/tickets/", {**data, "attachments": [a_file(PNG, "1.png"), a_file(PNG, "2.png")]}
    ).json()
    assert [item["name"] for item in found["attachments"]] == ["1.png", "2.png"]
    assert [item["name"] for item in found["comments"][0]["attachments"]] == ["1.png", "2.png"]
    assert (found["custom_fields"], found["priority"]) == ({"serial": "A1"}, "low")


def test_staff_open_a_ticket_for_a_customer_who_sees_it(ada: Api) -> None:
    mailbox()
    answer = ada(
        "POST", "/api/tickets/", {"title": "a", "description": "b", "customer": "New@example.org"}
    )
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
def test_what_is_wrong_with_a_new_ticket_is_named_and_nothing_is_made(
    given: Any, field: str, cleo: Api
) -> None:
    mailbox()
    assert said(cleo("POST", "/api/tickets/", given))[::2] == (400, field)
    assert not Ticket.objects.exists()
    assert not OutboundMail.objects.exists()


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
    for change in [
        {"title": "U"},
        {"description": "E"},
        {"category": "Billing"},
        {"custom_fields": {}},
    ]:
        assert cleo("PATCH", path_of(ticket), change).status_code == 400, change
    assert cleo("GET", path_of(ticket)).json()["title"] == "T"


def test_whoever_only_takes_part_may_read_and_write_on_it_and_change_nothing(
    ticket: Ticket,
) -> None:
    dan = customer("dan@example.net", "Dan")
    actions.add_participant(ticket, dan, "cc", source="agent", actor=agent())
    api = Api(dan)
    assert api("GET", path_of(ticket)).status_code == 200
    say(api, ticket)
    Category.objects.create(name="Billing")
    for change in (
        {"title": "U"},
        {"description": "E"},
        {"priority": "low"},
        {"category": "Billing"},
        {"custom_fields": {"a": 1}},
    ):
        assert said(api("PATCH", path_of(ticket), change))[:2] == (403, "permission_denied"), change
    assert said(api("DELETE", path_of(ticket)))[0] == 403
    ticket.refresh_from_db()
    assert (ticket.version, ticket.status) == (1, "open")


def test_what_came_by_mail_is_never_changed(ada: Api, cleo: Api) -> None:
    ticket = ticket_of(receive(eml("Words by mail", message_id="a@example.net")))
    comment = ticket.comments.get()
    paths = [
        f"{path_of(ticket)}comments/{comment.pk}/",
        f"/tickets/{ticket.pk}/messages/{comment.pk}/",
    ]
    for api in (cleo, ada, Api(admin())):
        assert api("PATCH", path_of(ticket), {"description": "Other"}).status_code in {400, 403}
        for path in paths:
            assert said(api("PUT", path, {"body": "Other"}))[0] == 403
            assert said(api("DELETE", path))[0] == 403
    comment.refresh_from_db()
    assert comment.text.strip() == "Words by mail"
    assert Comment.objects.count() == 1


def test_all_of_a_change_happens_or_none(ticket: Ticket, ada: Api) -> None:
    change = {
        "title": "New",
        "priority": "high",
        "tags": ["vip"],
        "assigned_to": agent().pk,
        "status": "lost",
    }
    assert said(ada("PATCH", path_of(ticket), change))[2] == "status"
    assert (
        said(ada("PATCH", path_of(ticket), {**change, "status": "pending", "team": "None such"}))[2]
        == "team"
    )
    ticket.refresh_from_db()
    assert (ticket.subject, ticket.priority, ticket.assignee, ticket.version) == (
        "Printer",
        2,
        None,
        1,
    )
    assert (kinds(ticket), Tag.objects.filter(tickets=ticket).count()) == (["opened"], 0)
    found = ada("PATCH", path_of(ticket), {**change, "status": "pending"}).json()
    assert (found["status"], found["title"], found["tags"]) == ("pending", "New", ["vip"])


def test_moves_that_there_are_not_are_explained(ticket: Ticket, ada: Api) -> None:
    for status in ("resolved", "pending", "assigned"):
        assert said(ada("PATCH", path_of(ticket), {"status": status})) == (400, "refused", "status")
    assert ada("PATCH", path_of(ticket), {"status": "open"}).json()["version"] == 1
    for api in (ada, Api(admin())):
        assert said(api("PATCH", path_of(ticket), {"assigned_to": 999_999})) == (
            400,
            "refused",
            "assigned_to",
        )


def test_an_owner_withdraws_it_closed_with_an_event_and_an_admin_deletes_it_for_good(
    cleo: Api,
) -> None:
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


def test_a_ticket_that_goes_while_it_is_being_changed_is_404(
    ticket: Ticket, ada: Api, monkeypatch
) -> None:
    real = access.ticket

    def late(viewer: Any, pk: int) -> Ticket:
        found = real(viewer, pk)
        actions.delete_ticket(Ticket.objects.get(pk=pk), actor=admin())
        return found

    monkeypatch.setattr(access, "ticket", late)
    assert said(ada("PATCH", path_of(ticket), {"priority": "low"}))[:2] == (404, "not_found")


def test_a_ticket_with_30_comments_takes_as_many_queries_as_one_with_3(
    ticket: Ticket, ada: Api, cleo: Api
) -> None:
    def queries() -> list[int]:
        counted = []
        for api in (ada, cleo):
            for path in (
                path_of(ticket),
                path_of(ticket) + "comments/",
                path_of(ticket) + "attachments/",
            ):
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


def test_an_agent_who_gives_a_ticket_to_another_team_is_told_that_it_is_done(
    ticket: Ticket, ada: Api, settings
) -> None:
    settings.AGENTS_SEE = "teams"
    Team.objects.create(name="Second line")
    answer = ada("PATCH", path_of(ticket), {"team": "Second line"})
    assert (answer.status_code, answer.json()["team"]) == (200, "Second line")
    assert ada("GET", path_of(ticket)).status_code == 404


@pytest.mark.parametrize("path", ["/api/tickets/{}/", "/tickets/{}/"])
def test_a_priority_is_chosen_at_opening_and_is_the_staffs_after_that(
    path: str, cleo: Api, ada: Api
) -> None:
    mailbox()
    answer = cleo("POST", "/api/tickets/", {"title": "x", "description": "y", "priority": "high"})
    assert answer.json()["priority"] == "high"
    path = path.format(answer.json()["id"])
    for method in ("PATCH", "PUT"):
        assert said(cleo(method, path, {"title": "z", "priority": "urgent"})) == (
            403,
            "permission_denied",
            "priority",
        )
    assert Ticket.objects.get().priority == Ticket.Priority.HIGH
    assert Ticket.objects.get().subject == "x"
    assert ada("PATCH", path, {"priority": "low"}).json()["priority"] == "low"


def test_a_customer_raises_no_priority_at_the_root(ticket: Ticket) -> None:
    with pytest.raises(actions.Refused, match="priority"):
        actions.set_priority(ticket, Ticket.Priority.URGENT, actor=ticket.requester)
