"""Lists of tickets by the API: who finds what by which filter, in which order, and for how many
queries."""

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from helpdesk import actions
from helpdesk.actions import Content
from helpdesk.models import Category, Participant, Tag, Team, Ticket
from tests.support.api import Api, a_ticket, said
from tests.support.mail import agent, customer, mailbox

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_counts_yet")]


def titles(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return sorted(row["title"] for row in answer.json()["results"])


@pytest.fixture
def several() -> None:
    """Three tickets that differ in all that a list is filtered by."""
    first_line, billing = (
        Team.objects.create(name="First line"),
        Category.objects.create(name="Billing"),
    )
    old = a_ticket("Old", text="A toner problem", priority=4, category=billing)
    Ticket.objects.filter(pk=old.pk).update(
        created_at=timezone.now() - timedelta(days=10), is_breached=True
    )
    mine = a_ticket("Mine", text="Nothing", priority=1)
    actions.set_team(mine, first_line, actor=agent())
    actions.assign(mine, agent(), actor=agent())
    actions.set_tags(mine, ["VIP"], actor=agent())
    actions.note(mine, Content(text="Perhaps the fuser"), actor=agent())
    done = a_ticket("Done", requester=customer("dan@example.net", "Dan"))
    actions.set_status(done, "closed", actor=agent())


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "Done Mine Old"),
        ("status=open", "Old"),
        ("status=open&status=closed", "Done Old"),
        ("status=closed&priority=urgent", ""),
        ("priority=urgent", "Old"),
        ("priority=low", "Mine"),
        ("assigned_to=me", "Mine"),
        ("assigned_to=none", "Done Old"),
        ("assigned_to={ada}", "Mine"),
        ("assigned_to=999999", ""),
        ("is_breached=true", "Old"),
        ("is_breached=false", "Done Mine"),
        ("category=billing", "Old"),
        ("category={billing}", "Old"),
        ("category=Unknown", ""),
        ("team=First+line", "Mine"),
        ("team={team}", "Mine"),
        ("tag=Vip", "Mine"),
        ("tag=other", ""),
        ("created_after={yesterday}", "Done Mine"),
        ("created_before={yesterday}", "Old"),
        ("search=toner", "Old"),
        ("search=TON", "Old"),
        ("search=min", "Mine"),
        ("search=fuser", "Mine"),
        ("search=toner+nothing", ""),
        ("search=%22", ""),
        ("search=toner+OR+nothing", ""),
        ("assigned_to=&status=&search=&tag=", "Done Mine Old"),
    ],
)
def test_a_list_is_filtered_by(query: str, expected: str, several, ada: Api) -> None:
    names = {
        "ada": agent().pk,
        "billing": Category.objects.get().pk,
        "team": Team.objects.get().pk,
        "yesterday": quote((timezone.now() - timedelta(days=1)).isoformat()),
    }
    assert titles(ada("GET", f"/api/tickets/?{query.format(**names)}")) == expected.split()
    assert titles(ada("GET", f"/tickets/?{query.format(**names)}")) == expected.split()


@pytest.mark.parametrize(
    "query",
    [
        "status=lost",
        "priority=5",
        "assigned_to=ada",
        "assigned_to=-1",
        "is_breached=perhaps",
        "created_after=yesterday",
        "ordering=password",
        "ordering=requester__password",
        "search=%00",
        f"search={'x' * 201}",
        "tag=%00",
        "team=%00",
        "created_after=0001-01-01T00:00:00%2B14:00",
        "created_before=9999-12-31T23:59:59-14:00",
    ],
)
def test_a_filter_that_makes_no_sense_is_named(query: str, several, ada: Api) -> None:
    assert said(ada("GET", f"/api/tickets/?{query}"))[::2] == (400, query.partition("=")[0])


def test_a_customer_finds_by_what_they_may_read_and_no_more(several, cleo: Api) -> None:
    assert titles(cleo("GET", "/api/tickets/")) == ["Mine", "Old"]
    assert titles(cleo("GET", "/api/tickets/?search=fuser")) == []
    assert titles(cleo("GET", "/api/tickets/?search=toner")) == ["Old"]
    assert titles(cleo("GET", "/api/tickets/?search=done")) == []


def test_a_ticket_is_found_by_the_words_it_has_now(cleo: Api, ada: Api) -> None:
    path = f"/api/tickets/{a_ticket('Printer', text='It smokes').pk}/"
    comment = cleo("POST", path + "comments/", {"body": "Purple"}).json()["id"]
    assert cleo("PATCH", path, {"description": "It squeaks"}).status_code == 200
    assert cleo("PATCH", path, {"title": "Scanner"}).status_code == 200
    for word, found in (
        ("squeaks", True),
        ("smokes", False),
        ("purple", True),
        ("scanner", True),
        ("printer", False),
    ):
        for api in (cleo, ada):
            assert titles(api("GET", f"/api/tickets/?search={word}")) == ["Scanner"] * found, word
    cleo("DELETE", f"{path}comments/{comment}/")
    assert titles(ada("GET", "/api/tickets/?search=purple")) == []


def test_a_list_is_ordered_and_comes_in_pages(ada: Api) -> None:
    for number in range(5):
        a_ticket(f"T{number}", priority=1 + number % 4)
    answer = ada("GET", "/api/tickets/?ordering=id&limit=2&offset=1").json()
    assert ([row["title"] for row in answer["results"]], answer["count"]) == (["T1", "T2"], 5)
    assert "offset=3" in answer["next"]
    assert answer["previous"].endswith("limit=2&ordering=id")
    last = ada("GET", answer["next"]).json()
    assert ([row["title"] for row in last["results"]], last["next"]) == (["T3", "T4"], None)
    newest = [row["title"] for row in ada("GET", "/api/tickets/").json()["results"]]
    assert newest == ["T4", "T3", "T2", "T1", "T0"]
    by_priority = [
        row["priority"]
        for row in ada("GET", "/api/tickets/?ordering=-priority,id").json()["results"]
    ]
    assert by_priority == ["urgent", "high", "normal", "low", "low"]
    for query, shown in (
        ("limit=1000", 5),
        ("limit=0", 5),
        ("limit=-1", 5),
        ("limit=x", 5),
        ("offset=99", 0),
    ):
        assert len(ada("GET", f"/api/tickets/?{query}").json()["results"]) == shown, query
    assert ada("GET", f"/api/tickets/?offset={10**30}").status_code == 200


def fill(count: int) -> None:
    """Tickets with all that a list shows."""
    team, category = (
        Team.objects.get_or_create(name="T")[0],
        Category.objects.get_or_create(name="C")[0],
    )
    tag = Tag.objects.get_or_create(name="tag")[0]
    made = Ticket.objects.bulk_create(
        Ticket(
            subject=f"T{number}",
            requester=customer(),
            mailbox=mailbox(),
            assignee=agent(),
            team=team,
            category=category,
            custom={"serial": "x"},
        )
        for number in range(count)
    )
    tag.tickets.add(*made)
    Participant.objects.bulk_create(
        Participant(ticket=ticket, person=ticket.requester, role="requester", source="requester")
        for ticket in made
    )


@pytest.mark.parametrize("who", ["an agent", "a customer"])
def test_a_list_of_500_takes_as_many_queries_as_one_of_10(who: str, ada: Api, cleo: Api) -> None:
    api = ada if who == "an agent" else cleo
    paths = ["/api/tickets/", f"/profiles/{customer().pk}/tickets/"] + [
        "/tickets/",
        "/api/agent/tickets/",
    ] * (api is ada)

    def queries() -> list[int]:
        counted = []
        for path in paths:
            with CaptureQueriesContext(connection) as found:
                assert api("GET", f"{path}?limit=100&search=").status_code == 200
            counted.append(len(found))
        return counted

    fill(10)
    few = queries()
    assert max(few) <= 8
    fill(490)
    assert queries() == few
