"""Tickets by the API: lists and filters, opening, changing, several at once, and what is said on them."""

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from helpdesk import actions
from helpdesk.actions import Content
from helpdesk.models import Category, CustomField, Participant, Tag, Team, Ticket
from tests.api import Api, a_ticket, said
from tests.mail import agent, customer, mailbox

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_counts_yet(settings) -> None:
    cache.clear()
    settings.REQUESTS_A_MINUTE = 1000


@pytest.fixture
def ada() -> Api:
    return Api(agent())


@pytest.fixture
def cleo() -> Api:
    return Api(customer())


@pytest.fixture
def ticket() -> Ticket:
    return a_ticket()


def path_of(ticket: Ticket) -> str:
    return f"/api/tickets/{ticket.pk}/"


def titles(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return sorted(row["title"] for row in answer.json()["results"])


def custom_fields() -> None:
    Field = CustomField.objects.create
    Field(slug="serial", label="Serial")
    Field(slug="floor", label="Floor", kind="number")
    Field(slug="since", label="Since", kind="date")
    Field(slug="size", label="Size", kind="choice", choices="small\nlarge")
    Field(slug="urgent", label="Urgent", kind="checkbox")
    Field(slug="margin", label="Margin", for_customers=False)


# --- Lists


@pytest.fixture
def several() -> None:
    """Three tickets that differ in all that a list is filtered by."""
    first_line, billing = Team.objects.create(name="First line"), Category.objects.create(name="Billing")
    old = a_ticket("Old", text="A toner problem", priority=4, category=billing)
    Ticket.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=10), is_breached=True)
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
        "ada": agent().pk, "billing": Category.objects.get().pk, "team": Team.objects.get().pk,
        "yesterday": quote((timezone.now() - timedelta(days=1)).isoformat()),
    }  # fmt: skip
    assert titles(ada("GET", f"/api/tickets/?{query.format(**names)}")) == expected.split()
    assert titles(ada("GET", f"/tickets/?{query.format(**names)}")) == expected.split()


@pytest.mark.parametrize(
    "query",
    ["status=lost", "priority=5", "assigned_to=ada", "assigned_to=-1", "is_breached=perhaps", "created_after=yesterday",
     "ordering=password", "ordering=requester__password", "search=%00", f"search={'x' * 201}", "tag=%00", "team=%00",
     "created_after=0001-01-01T00:00:00%2B14:00", "created_before=9999-12-31T23:59:59-14:00"],
)  # fmt: skip
def test_a_filter_that_makes_no_sense_is_named(query: str, several, ada: Api) -> None:
    assert said(ada("GET", f"/api/tickets/?{query}"))[::2] == (400, query.partition("=")[0])


def test_a_customer_finds_by_what_they_may_read_and_no_more(several, cleo: Api) -> None:
    assert titles(cleo("GET", "/api/tickets/")) == ["Mine", "Old"]
    assert titles(cleo("GET", "/api/tickets/?search=fuser")) == []
    assert titles(cleo("GET", "/api/tickets/?search=toner")) == ["Old"]
    assert titles(cleo("GET", "/api/tickets/?search=done")) == []


def test_a_ticket_is_found_by_the_words_it_has_now(ticket: Ticket, cleo: Api, ada: Api) -> None:
    (comment,) = cleo("GET", path_of(ticket)).json()["comments"]
    assert cleo("PATCH", path_of(ticket), {"title": "Scanner", "description": "It squeaks"}).status_code == 200
    for word, expected in (("scanner", ["Scanner"]), ("squeaks", ["Scanner"]), ("smokes", []), ("printer", [])):
        for api in (cleo, ada):
            assert titles(api("GET", f"/api/tickets/?search={word}")) == expected, word
    said_more = cleo("POST", path_of(ticket) + "comments/", {"body": "Purple"}).json()["id"]
    cleo("DELETE", f"{path_of(ticket)}comments/{said_more}/")
    assert titles(ada("GET", "/api/tickets/?search=purple")) == []
    assert comment["id"] != said_more


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
    by_priority = [row["priority"] for row in ada("GET", "/api/tickets/?ordering=-priority,id").json()["results"]]
    assert by_priority == ["urgent", "high", "normal", "low", "low"]
    for query, shown in (("limit=1000", 5), ("limit=0", 5), ("limit=-1", 5), ("limit=x", 5), ("offset=99", 0)):
        assert len(ada("GET", f"/api/tickets/?{query}").json()["results"]) == shown, query
    assert ada("GET", f"/api/tickets/?offset={10**30}").status_code == 200


def queries(api: Api, path: str) -> int:
    with CaptureQueriesContext(connection, ) as found:
        assert api("GET", path).status_code == 200
    return len(found)


@pytest.mark.parametrize("path", ["/api/tickets/?limit=100", "/tickets/?limit=100", "/profiles/{}/tickets/?limit=100"])
def test_a_list_of_500_takes_no_more_queries_than_one_of_10(path: str, ada: Api, cleo: Api) -> None:
    path = path.format(customer().pk)
    one = a_ticket(custom={}) if False else a_ticket()
    tags = [Tag.objects.create(name=f"tag {number}") for number in range(3)]
    rows = [
        Ticket(subject=f"T{number}", requester=customer(), mailbox=mailbox(), assignee=agent(), custom={"serial": "x"})
        for number in range(499)
    ]
    assert one.pk
    made = Ticket.objects.bulk_create(rows[:9])
    for api in (ada, cleo) if path != "/tickets/?limit=100" else (ada,):
        few = queries(api, path)
        assert few < 12
        made = made or []
        for ticket in made:
            ticket.tags.set(tags)
        before = few
        assert queries(api, path) == before
    Participant.objects.bulk_create(
        Participant(ticket=ticket, person=customer(), role="requester", source="requester")
        for ticket in Ticket.objects.bulk_create(rows[9:])
    )
    for api in (ada, cleo) if path != "/tickets/?limit=100" else (ada,):
        assert queries(api, path) <= few
