"""The desk, the claims and the profiles of earlier systems."""

import pytest

from helpdesk import actions
from helpdesk.models import (
    Participant,
    Ticket,
)
from tests.support.api import Api, a_ticket, said
from tests.support.mail import agent, customer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_counts_yet")]


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
    assert said(ben("POST", "/api/agent/tickets/claim/", {"ticket_id": ticket.pk})) == (
        400,
        "refused",
        "ticket_id",
    )
    assert (
        said(ben("POST", "/api/agent/tickets/", {"ticket_id": ticket.pk, "status": "pending"}))[0]
        == 403
    )
    assert (
        ada("POST", "/api/agent/tickets/", {"ticket_id": ticket.pk, "status": "pending"}).json()[
            "status"
        ]
        == "pending"
    )
    assert said(ben("POST", "/api/agent/tickets/claim/", {"ticket_id": 999_999}))[0] == 404


def test_without_a_number_the_most_urgent_is_claimed_until_none_waits_or_the_desk_is_full(
    ada: Api, settings
) -> None:
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
    assert [
        row["id"] for row in ada("GET", path + "/?status=open&search=printer").json()["results"]
    ] == [ticket.pk]
    opened = ada("POST", path, {"title": "a", "description": "b"}).json()
    assert opened["requester"]["email"] == "cleo@example.net"
    for pk in (dan.pk, agent().pk, 999_999):
        assert said(cleo("GET", f"/profiles/{pk}/tickets/"))[0] == 404
        assert (
            said(cleo("POST", f"/profiles/{pk}/tickets/", {"title": "a", "description": "b"}))[0]
            == 404
        )
