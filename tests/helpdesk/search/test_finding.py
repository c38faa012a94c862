"""What is found by words, beside a plain look through everything that was said."""

import random
import re

import pytest
from django.db import connection

from helpdesk import actions, search
from helpdesk.actions import Content
from helpdesk.models import Comment, Ticket
from helpdesk.search import finding, words
from tests.support.mail import agent, customer, eml, receive, ticket_of

pytestmark = pytest.mark.django_db

VOCABULARY = "red reddish green greenish blue sea seaside s1 s12 über été 20418".split()


@pytest.fixture
def tickets(monkeypatch: pytest.MonkeyPatch) -> list[Ticket]:
    """A few, with comments enough for several slices of four."""
    monkeypatch.setattr(words, "SLICE_BITS", 2)
    monkeypatch.setattr(finding, "SLICE_BITS", 2)
    with connection.cursor() as cursor:
        # What tests before have left: on PostgreSQL their tables are emptied without a trigger.
        cursor.execute("DELETE FROM helpdesk_search")
    chance = random.Random(3)
    made = [
        ticket_of(receive(eml(said(chance), subject=said(chance), message_id=f"{n}@x")))
        for n in range(6)
    ]
    for _ in range(18):
        actions.note(chance.choice(made), Content(text=said(chance)), actor=agent())
    return made


def said(chance: random.Random) -> str:
    return " ".join(chance.choices(VOCABULARY, k=3))


def expected(query: str) -> list[int]:
    """By what the words mean, comment for comment."""
    wanted = query.split()
    rows = Comment.objects.order_by("-pk").select_related("ticket")
    found = [
        row.ticket_id
        for row in rows
        if all(
            any(
                word.startswith(one)
                for word in re.findall(r"\w+", f"{row.ticket.subject} {row.text}")
            )
            for one in wanted
        )
    ]
    return list(dict.fromkeys(found))


def test_what_is_found_is_what_a_look_through_everything_finds(tickets: list[Ticket]) -> None:
    chance = random.Random(5)
    for _ in range(60):
        asked = [one[: chance.randint(1, 9)] for one in chance.choices(VOCABULARY, k=2)]
        for query in (asked[0], " ".join(asked)):
            assert search.ticket_ids(query) == expected(query), query


def test_a_customer_finds_in_what_they_may_read(tickets: list[Ticket]) -> None:
    theirs = {ticket.pk for ticket in tickets}
    public = Comment.objects.filter(visibility="public")
    requester = tickets[0].requester
    for one in VOCABULARY:
        readable = {
            row.ticket_id
            for row in public.select_related("ticket")
            if one in f"{row.ticket.subject} {row.text}".split()
        }
        found = set(search.ticket_ids_of(requester, one))
        assert readable <= found <= theirs
    assert search.ticket_ids_of(customer("stranger@example.org"), "s") == []


def test_accents_and_case_make_no_difference(tickets: list[Ticket]) -> None:
    assert search.ticket_ids("ÜBER") == search.ticket_ids("uber") == expected("über") != []


def test_the_newest_are_looked_at_where_a_word_is_everywhere(
    tickets: list[Ticket], monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = expected("s")
    monkeypatch.setattr(finding, "MAX_HITS", 3)
    assert search.ticket_ids("s") == everything[: len(search.ticket_ids("s"))]
    assert 1 <= len(search.ticket_ids("s")) <= 3


def test_a_new_subject_is_found_and_the_old_one_is_not(tickets: list[Ticket]) -> None:
    ticket = tickets[0]
    actions.set_subject(ticket, "walrus_house", actor=agent())
    assert search.ticket_ids("walr house") == [ticket.pk]
    actions.set_subject(ticket, "otter", actor=agent())
    assert search.ticket_ids("walrus") == []


def test_what_is_deleted_is_found_no_more(tickets: list[Ticket]) -> None:
    pk = tickets[0].pk
    tickets[0].comments.all().delete()
    assert all(pk not in search.ticket_ids(one) for one in VOCABULARY)


def test_a_word_without_end_is_no_obstacle(tickets: list[Ticket]) -> None:
    actions.note(tickets[0], Content(text="x" * 90_000), actor=agent())
    assert search.ticket_ids("x" * 200) == [tickets[0].pk]
