"""One change to several tickets."""

from typing import Any

import pytest

from helpdesk import actions
from helpdesk.api import bulk as views
from helpdesk.models import (
    Team,
    Ticket,
)
from tests.support.api import Api, a_ticket, admin, said
from tests.support.mail import agent

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_counts_yet")]


def test_a_bulk_change_says_how_many_changed_and_why_the_others_did_not(ada: Api) -> None:
    one, two = a_ticket("One"), a_ticket("Two")
    actions.assign(one, agent(), actor=agent())
    answer = ada(
        "POST",
        "/api/tickets/bulk",
        {"ids": [one.pk, two.pk, one.pk, 999_999], "status": "resolved"},
    ).json()
    assert answer["changed"] == 1
    assert [row["id"] for row in answer["skipped"]] == [two.pk, 999_999]
    assert all(row["reason"] for row in answer["skipped"])
    again = ada("POST", "/api/tickets/bulk/", {"ids": [one.pk], "status": "resolved"}).json()
    assert (again["changed"], again["skipped"][0]["id"]) == (0, one.pk)
    two.refresh_from_db()
    assert two.status == "open"


def test_a_bulk_change_assigns_to_oneself_and_by_an_admin_to_anyone(
    ticket: Ticket, ada: Api
) -> None:
    ben = agent("Ben").pk
    Team.objects.create(name="First line")
    refused = ada("POST", "/api/tickets/bulk/", {"ids": [ticket.pk], "assigned_to": ben}).json()
    assert (refused["changed"], len(refused["skipped"])) == (0, 1)
    assert (
        ada("POST", "/api/tickets/bulk/", {"ids": [ticket.pk], "assigned_to": agent().pk}).json()[
            "changed"
        ]
        == 1
    )
    body = {"ids": [ticket.pk], "assigned_to": ben, "priority": "urgent"}
    assert Api(admin())("POST", "/api/tickets/bulk/", body).json()["changed"] == 1
    ticket.refresh_from_db()
    assert (ticket.assignee_id, ticket.priority) == (ben, 4)


def test_a_row_that_somebody_else_has_changed_or_deleted_meanwhile_is_skipped_and_the_rest_goes_on(
    ada: Api, monkeypatch
) -> None:
    one, two, three = a_ticket("One"), a_ticket("Two"), a_ticket("Three")
    actions.set_priority(two, 3, actor=agent())
    answer = ada(
        "POST",
        "/api/tickets/bulk/",
        {"ids": [one.pk, two.pk, three.pk], "status": "closed"},
        if_match='"1"',
    )
    assert answer.status_code == 200
    assert (answer.json()["changed"], [row["id"] for row in answer.json()["skipped"]]) == (
        2,
        [two.pk],
    )
    real = views.change

    def late(ticket: Ticket, *rest: Any) -> None:
        if ticket.pk == one.pk:
            actions.delete_ticket(Ticket.objects.get(pk=ticket.pk), actor=admin())
        real(ticket, *rest)

    monkeypatch.setattr(views, "change", late)
    answer = ada("POST", "/api/tickets/bulk/", {"ids": [one.pk, two.pk], "priority": "low"})
    assert answer.status_code == 200
    assert (answer.json()["changed"], [row["id"] for row in answer.json()["skipped"]]) == (
        1,
        [one.pk],
    )


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"ids": [], "status": "open"}, "ids"),
        ({"ids": ["x"], "status": "open"}, "ids.0"),
        ({"ids": [1]}, None),
        ({"ids": list(range(1, 202)), "status": "open"}, "ids"),
        ({"ids": [1], "status": "lost"}, "status"),
    ],
)
def test_a_bulk_change_that_is_wrong_is_named(given: Any, field: str | None, ada: Api) -> None:
    assert said(ada("POST", "/api/tickets/bulk/", given))[::2] == (400, field)
