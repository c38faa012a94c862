"""Changes under a version: nobody's are overwritten unseen."""

from typing import Any

import pytest

from helpdesk import actions
from helpdesk.models import (
    Category,
    Team,
    Ticket,
)
from tests.support.api import PNG, Api, a_file, a_ticket, admin, path_of, said, say
from tests.support.mail import agent

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_counts_yet")]


def test_a_change_of_what_somebody_else_has_changed_is_409_with_what_it_is_now(
    ticket: Ticket, ada: Api
) -> None:
    assert ada("PATCH", path_of(ticket), {"priority": "high", "version": 1})["ETag"] == '"2"'
    for stale, headers in (
        ({"version": 1}, {}),
        ({}, {"if_match": '"1"'}),
        ({}, {"if_match": 'W/"1"'}),
    ):
        for method, path in (
            ("PATCH", path_of(ticket)),
            ("PUT", path_of(ticket)),
            ("PUT", f"/tickets/{ticket.pk}"),
            ("PATCH", f"/update_status/{ticket.pk}"),
        ):
            answer = ada(method, path, {"status": "closed", **stale}, **headers)
            assert answer.status_code == 409, (path, stale, headers)
            assert answer["ETag"] == '"2"'
            assert set(answer.json()) == {"error", "current"}
            assert answer.json()["error"]["code"] == "conflict"
            assert (answer.json()["current"]["version"], answer.json()["current"]["priority"]) == (
                2,
                "high",
            )
    ticket.refresh_from_db()
    assert ticket.status == "open"
    assert (
        ada("PATCH", path_of(ticket), {"status": "closed"}, if_match='"2"').json()["version"] == 3
    )
    assert ada("PATCH", path_of(ticket), {"status": "open"}, if_match="*").json()["version"] == 4
    assert ada("PATCH", path_of(ticket), {"status": "closed"}).json()["version"] == 5


def test_nothing_is_deleted_or_withdrawn_under_a_version_that_is_not_so_any_more(
    ticket: Ticket, cleo: Api
) -> None:
    actions.set_priority(ticket, 3, actor=agent())
    for path in (path_of(ticket), f"/delete/{ticket.pk}"):
        assert Api(admin())("DELETE", path, if_match='"1"').status_code == 409
    assert cleo("DELETE", path_of(ticket), if_match='"1"').status_code == 409
    ticket.refresh_from_db()
    assert ticket.status == "open"
    assert cleo("DELETE", path_of(ticket), if_match='"2"').status_code == 204


def test_a_409_shows_a_customer_no_more_than_they_may_read(
    ticket: Ticket, cleo: Api, ada: Api
) -> None:
    say(ada, ticket, "Hush", visibility="internal")
    actions.set_priority(ticket, 3, actor=agent())
    answer = cleo("PATCH", path_of(ticket), {"title": "T", "version": 1})
    assert answer.status_code == 409
    assert b"Hush" not in answer.content
    assert b"noted" not in answer.content


@pytest.mark.parametrize(
    "given", [{"version": 0}, {"version": "x"}, {"version": None}, {"version": 2**31}]
)
def test_a_version_that_is_none_is_named(given: Any, ticket: Ticket, ada: Api) -> None:
    assert said(ada("PATCH", path_of(ticket), {"priority": "high", **given}))[::2] == (
        400,
        "version",
    )
    assert said(ada("PATCH", path_of(ticket), {"priority": "high"}, if_match='"abc"'))[::2] == (
        400,
        "If-Match",
    )


@pytest.mark.parametrize(
    "change",
    [
        {"title": "T"},
        {"description": "D"},
        {"priority": "low"},
        {"tags": ["a"]},
        {"team": "First line"},
        {"category": "Billing"},
        {"custom_fields": {"serial": "x"}},
        {"assigned_to": "me"},
        {"status": "closed"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_change_bumps_the_version_once_so_that_of_two_the_second_is_told(
    change: Any, custom
) -> None:
    Team.objects.create(name="First line"), Category.objects.create(name="Billing")
    api = Api(agent())
    ticket = a_ticket(requester=agent())
    change = {name: agent().pk if value == "me" else value for name, value in change.items()}
    found = api("PATCH", path_of(ticket), {**change, "version": 1}).json()
    assert found["version"] == 2
    assert found["updated_at"] > found["created_at"]
    assert api("PATCH", path_of(ticket), {**change, "version": 1}).status_code == 409
    assert (
        api("PATCH", path_of(ticket), {**change, "version": 2}).json()["version"] == 2
    )  # it was so already


def test_comments_do_not_bump_the_version(ticket: Ticket, ada: Api, cleo: Api) -> None:
    actions.assign(ticket, agent(), actor=agent())
    version = ada("GET", path_of(ticket)).json()["version"]
    for step in (
        lambda: say(cleo, ticket, "One"),
        lambda: say(ada, ticket, "Two"),
        lambda: say(cleo, ticket, "Three"),
        lambda: say(ada, ticket, "Four", visibility="internal"),
        lambda: cleo.upload(path_of(ticket) + "attachments/", {"file": a_file(PNG)}),
        lambda: cleo("DELETE", f"{path_of(ticket)}comments/{say(cleo, ticket, 'Five')}/"),
    ):
        step()
        assert ada("GET", path_of(ticket)).json()["version"] == version
    assert ada("PATCH", path_of(ticket), {"priority": "low", "version": version}).status_code == 200
