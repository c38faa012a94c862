"""An installation's own fields, and text that is none."""

import json
from typing import Any

import pytest

from helpdesk.models import (
    CustomField,
    Tag,
    Ticket,
)
from tests.support.api import Api, path_of, said
from tests.support.mail import mailbox

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_counts_yet")]


def test_custom_fields_are_kept_as_what_they_are(
    ticket: Ticket, custom, cleo: Api, ada: Api
) -> None:
    given = {"serial": "A1", "floor": "3", "since": "2026-02-28", "size": "large", "urgent": "yes"}
    found = cleo("PATCH", path_of(ticket), {"custom_fields": given}).json()["custom_fields"]
    assert found == {
        "serial": "A1",
        "floor": 3,
        "since": "2026-02-28",
        "size": "large",
        "urgent": True,
    }
    found = cleo(
        "PATCH", path_of(ticket), {"custom_fields": {"floor": None, "urgent": False}}
    ).json()["custom_fields"]
    assert found == {"serial": "A1", "since": "2026-02-28", "size": "large", "urgent": False}
    assert ada("PATCH", path_of(ticket), {"custom_fields": {"margin": "thin"}}).json()[
        "custom_fields"
    ]["margin"]
    assert "margin" not in cleo("GET", path_of(ticket)).json()["custom_fields"]
    assert "margin" not in cleo("GET", "/api/tickets/").json()["results"][0]["custom_fields"]
    assert "margin" not in {
        field["name"] for field in cleo("GET", "/api/_meta/").json()["custom_fields"]
    }
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
    {"title": HALF},
    {"description": HALF},
    {"priority": HALF},
    {"category": HALF},
    {"status": HALF},
    {"team": HALF},
    {"tags": [HALF]},
    {"custom_fields": {"serial": HALF}},
    {"custom_fields": {HALF: "x"}},
    {"body": HALF},
    {"visibility": HALF, "body": "x"},
]


@pytest.mark.parametrize("half", HALVES, ids=lambda half: ascii(half))
def test_half_a_character_is_refused_and_never_kept(
    half: Any, ticket: Ticket, custom, ada: Api, cleo: Api
) -> None:
    for api in (ada, cleo):
        for method, path, body in (
            ("PATCH", path_of(ticket), half),
            ("POST", "/api/tickets/", {"title": "a", "description": "b", **half}),
            ("POST", path_of(ticket) + "comments/", half),
        ):
            assert said(api(method, path, body))[0] in {400, 403}, (method, path)
        if "custom_fields" in half:
            data = {
                "title": "a",
                "description": "b",
                "custom_fields": json.dumps(half["custom_fields"]),
            }
            assert said(api.upload("/api/tickets/", data))[0] == 400
        assert api("GET", "/api/tickets/").json()["count"] == 1
        assert api("GET", path_of(ticket)).status_code == 200
    assert Tag.objects.count() == 0


def test_a_required_field_is_required_of_customers_and_not_of_staff(cleo: Api, ada: Api) -> None:
    CustomField.objects.create(slug="serial", label="Serial", is_required=True)
    mailbox()
    body = {"title": "a", "description": "b"}
    assert said(cleo("POST", "/api/tickets/", body))[::2] == (400, "custom_fields.serial")
    assert (
        cleo("POST", "/api/tickets/", {**body, "custom_fields": {"serial": "A1"}}).status_code
        == 201
    )
    assert ada("POST", "/api/tickets/", body).status_code == 201
