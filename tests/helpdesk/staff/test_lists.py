"""Lists of tickets and mail beside a plain look through all rows; and that more rows cost no more
queries."""

import random
from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from helpdesk import access, counting
from helpdesk.models import Participant, Person, PersonAddress, Ticket
from helpdesk.staff import paging, queues
from inbound.models import InboundMail
from tests.support.mail import agent, customer, eml, mailbox, receive

pytestmark = pytest.mark.django_db


@pytest.fixture
def tickets() -> list[Ticket]:
    chance, box = random.Random(4), mailbox()
    people = [customer(f"c{n}@example.net", f"C{n}") for n in range(4)]
    now = timezone.now().replace(microsecond=0)
    made = [
        Ticket.objects.create(
            subject=f"Matter {number}",
            requester=chance.choice(people),
            mailbox=box,
            status=chance.choice(Ticket.Status.values),
            is_spam=chance.random() < 0.2,
            is_breached=chance.random() < 0.5,
            # Some were touched at one moment: then their numbers say which comes first.
            activity_at=now - timedelta(minutes=chance.randrange(20)),
        )
        for number in range(80)
    ]
    for ticket in made:
        for person in chance.sample(people, chance.randrange(3)):
            Participant.objects.create(ticket=ticket, person=person, role="cc", source="test")
    return made


def newest_first(rows: list[Ticket]) -> list[int]:
    return [t.pk for t in sorted(rows, key=lambda t: (t.activity_at, t.pk), reverse=True)]


def test_paging_there_and_back_shows_every_ticket_once(
    tickets: list[Ticket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "PAGE", 7)
    rows, query, there, back = Ticket.objects.all(), {}, [], []
    while True:
        page = paging.stretch(rows, query)
        there += [ticket.pk for ticket in page.tickets]
        if not page.older:
            break
        query = {"before": page.older}
    assert there == newest_first(tickets)
    while page.newer:
        page = paging.stretch(rows, {"after": page.newer})
        back = [ticket.pk for ticket in page.tickets] + back
    assert back == there[: len(back)]
    assert len(back) == 77


def test_a_queue_counts_what_it_shows(
    tickets: list[Ticket], monkeypatch: pytest.MonkeyPatch
) -> None:
    me = agent()
    monkeypatch.setattr(paging, "PAGE", 200)
    shown = [len(queues.page(me, {"queue": queue.slug}).tickets) for queue in queues.QUEUES]
    assert queues.counts(me, queues.QUEUES) == [str(number or "") for number in shown]
    monkeypatch.setattr(queues, "COUNT_CAP", 5)
    assert queues.counts(me, queues.QUEUES) == [
        "4+" if number >= 5 else str(number or "") for number in shown
    ]


def test_nothing_is_counted_of_what_nobody_may_see(tickets: list[Ticket]) -> None:
    nobodys = access.tickets(AnonymousUser())
    assert counting.up_to(5, [nobodys, Ticket.objects.all(), nobodys]) == [0, 5, 0]


def test_a_customer_has_the_tickets_they_take_part_in_and_no_others(tickets: list[Ticket]) -> None:
    for person in Person.objects.filter(role="user"):
        theirs = [
            ticket
            for ticket in tickets
            if not ticket.is_spam and ticket.participants.filter(person=person).exists()
        ]
        listed = access.tickets(person).order_by("-activity_at", "-id")
        assert [ticket.pk for ticket in listed] == newest_first(theirs)


@pytest.mark.parametrize("asked", ["c1@example.net", "C1@Example.NET", "further@example.net"])
def test_an_address_finds_its_persons_tickets(tickets: list[Ticket], asked: str) -> None:
    person = Person.objects.get(email="c1@example.net")
    PersonAddress.objects.create(person=person, address="further@example.net")
    theirs = [t for t in tickets if t.requester_id == person.pk and not t.is_spam]
    found = queues.page(agent(), {"q": asked}).tickets
    assert [ticket.pk for ticket in found] == newest_first(theirs)
    assert queues.page(agent(), {"q": "nobody@example.net"}).tickets == []


def test_a_number_finds_its_ticket_and_what_names_it() -> None:
    first = receive(eml("The first.", message_id="1@x")).ticket_number
    naming = receive(eml(f"As in {first}.", subject="Again", message_id="2@x")).ticket_number
    found = queues.page(agent(), {"q": f"#{first}"}).tickets
    assert {ticket.pk for ticket in found} == {first, naming}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("Cleo@Example.net", 1),
        ("cleo@example.net", 1),
        ("a@a", 1),
        ("cleo", 0),
        ("other@example.net", 0),
    ],
)
def test_the_list_of_mail_finds_whole_addresses_and_ids(asked: str, found: int) -> None:
    receive(eml("Hello", message_id="a@a"))
    client = signed_in()
    page = client.get("/admin/inbound/inboundmail/", {"q": asked}).content.decode()
    assert page.count("/admin/mail/") == found
    assert InboundMail.objects.count() == 1


@pytest.mark.parametrize("path", ["/admin/tickets/?queue=all", "/admin/inbound/inboundmail/"])
def test_more_rows_take_no_more_queries(path: str) -> None:
    client = signed_in()
    receive(eml("one", message_id="1@x"))
    few = queries(client, path)
    for number in range(2, 12):
        receive(eml("more", sender=f"p{number}@example.net", message_id=f"{number}@x"))
    assert queries(client, path) == few


def queries(client: Client, path: str) -> int:
    client.get(path)
    with CaptureQueriesContext(connection) as found:
        assert client.get(path).status_code == 200
    return len(found)


def signed_in() -> Client:
    client = Client()
    client.force_login(agent(), backend="helpdesk.auth.EmailBackend")
    return client
