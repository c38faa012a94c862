"""To whom a ticket may be given: one rule, at every door."""

import re
from typing import Any

import pytest
from django.test import Client

from helpdesk import access, actions
from helpdesk.models import Person, Team, Ticket
from tests.support.api import Api, a_ticket, admin, said
from tests.support.mail import agent, customer

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> dict[str, Person]:
    """Ada and Ann are of support, whose tickets these are, Bob and Ben of sales; Zoe is of no team."""
    names = {name.lower(): agent(name) for name in ("Ada", "Ann", "Bob", "Ben", "Zoe", "Gone")}
    Team.objects.create(name="Support").members.add(names["ada"], names["ann"], names["gone"])
    Team.objects.create(name="Sales").members.add(names["bob"], names["ben"], names["gone"])
    Person.objects.filter(pk=names["gone"].pk).update(is_active=False)
    return {**names, "root": admin(), "cleo": customer()}


def a_ticket_of(team: str | None) -> Ticket:
    ticket = a_ticket()
    Ticket.objects.filter(pk=ticket.pk).update(team=Team.objects.filter(name=team).first())
    return Ticket.objects.get(pk=ticket.pk)


def staff_page(who: Person) -> Client:
    client = Client()
    client.force_login(who, backend="helpdesk.auth.EmailBackend")
    return client


def by_action(ticket: Ticket, who: Person, to: Person) -> bool:
    try:
        return actions.assign(ticket, to, actor=who)
    except actions.Refused:
        return False


def by_page(ticket: Ticket, who: Person, to: Person) -> bool:
    staff_page(who).post(f"/admin/tickets/{ticket.pk}/change/", {"assignee": str(to.pk)})
    return Ticket.objects.get(pk=ticket.pk).assignee_id == to.pk


def by_bulk(ticket: Ticket, who: Person, to: Person) -> bool:
    staff_page(who).post("/admin/tickets/bulk/", {"ticket": [ticket.pk], "assignee": str(to.pk)})
    return Ticket.objects.get(pk=ticket.pk).assignee_id == to.pk


def by_api(ticket: Ticket, who: Person, to: Person) -> bool:
    return refused(Api(who)("PATCH", f"/api/tickets/{ticket.pk}/", {"assigned_to": to.pk}))


def by_profile_api(ticket: Ticket, who: Person, to: Person) -> bool:
    return refused(Api(who)("PUT", f"/tickets/{ticket.pk}/", {"assigned_to": to.pk}))


def refused(answer: Any) -> bool:
    if answer.status_code == 200:
        return True
    code, _, field = said(answer)
    assert field == "assigned_to"
    assert code in {400, 403}
    return False


def by_bulk_api(ticket: Ticket, who: Person, to: Person) -> bool:
    answer = Api(who)(
        "POST", "/api/tickets/bulk/", {"ids": [ticket.pk], "assigned_to": to.pk}
    ).json()
    assert bool(answer["changed"]) is not bool(answer["skipped"])
    return bool(answer["changed"])


DOORS = [by_action, by_page, by_bulk, by_api, by_profile_api, by_bulk_api]
# Who gives a ticket of which team to whom.
RULE = [
    ("ada", "Support", "ada", True),
    ("ada", "Support", "ann", True),
    ("ada", "Support", "bob", False),
    ("ada", "Support", "zoe", False),
    ("ada", "Support", "root", False),
    ("ada", "Support", "gone", False),
    ("ada", "Support", "cleo", False),
    ("ada", None, "ann", True),
    ("ada", None, "bob", False),
    ("ada", "Sales", "ada", True),
    ("ada", "Sales", "ann", True),
    ("ada", "Sales", "bob", True),
    ("zoe", "Sales", "bob", True),
    ("zoe", "Sales", "ada", False),
    ("zoe", None, "zoe", True),
    ("zoe", None, "ada", False),
    ("root", "Support", "bob", True),
    ("root", None, "zoe", True),
    ("root", "Support", "gone", False),
    ("root", "Support", "cleo", False),
]


@pytest.mark.parametrize("door", DOORS)
def test_agents_give_tickets_to_themselves_and_within_their_teams_and_admins_to_all_staff(
    door: Any, people
) -> None:
    wrong = [
        (who, team, to)
        for who, team, to, allowed in RULE
        if door(a_ticket_of(team), people[who], people[to]) is not allowed
    ]
    assert wrong == []


def test_a_page_offers_those_alone_who_may_be_chosen_and_who_has_it(people) -> None:
    ticket = a_ticket_of("Support")
    Ticket.objects.filter(pk=ticket.pk).update(assignee=people["ben"])
    for who, page, offered in (
        ("ada", f"/admin/tickets/{ticket.pk}/", {"ada", "ann", "ben"}),
        ("zoe", f"/admin/tickets/{ticket.pk}/", {"zoe", "ada", "ann", "ben"}),
        ("ada", "/admin/tickets/", {"ada", "ann"}),
        ("root", "/admin/tickets/", {"ada", "ann", "bob", "ben", "zoe", "root"}),
    ):
        html = staff_page(people[who]).get(page).content.decode()
        selects = re.findall(r'<select[^>]*name="assignee"[^>]*>(.*?)</select>', html, re.DOTALL)
        values = {int(pk) for pk in re.findall(r'value="(\d+)"', selects[-1])}
        assert values == {people[name].pk for name in offered}, (who, page)


def test_where_there_are_no_teams_all_staff_are_one() -> None:
    ada, bob, ticket = agent("Ada"), agent("Bob"), a_ticket()
    assert actions.assign(ticket, bob, actor=ada)
    Team.objects.create(name="Sales")
    assert list(access.assignable(ada, ticket)) == [ada]


def test_a_customer_gives_a_ticket_to_nobody_and_takes_it_from_nobody(people) -> None:
    ticket = a_ticket_of("Support")
    for to in (people["ada"], None):
        Ticket.objects.update(assignee=None if to else people["ada"])
        with pytest.raises(actions.Refused):
            actions.assign(Ticket.objects.get(pk=ticket.pk), to, actor=people["cleo"])
