"""A helpdesk after years of work, in small."""

from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from helpdesk import search
from helpdesk.demo import years
from helpdesk.models import Comment, Event, OutboundMail, Person, Ticket
from inbound.models import InboundMail
from tests.support.mail import deliver_all, eml, receive, ticket_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def filled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(years, "CHUNK", 30)
    assert list(years.fill(100)) == [30, 60, 90, 100]


def test_every_ticket_has_its_conversation_and_its_mail(filled: None) -> None:
    assert Ticket.objects.count() == 100
    assert Comment.objects.count() == Event.objects.count() == 300
    assert InboundMail.objects.count() == OutboundMail.objects.count() == 200
    assert deliver_all() == []
    for ticket in Ticket.objects.all():
        first, answer, last = ticket.comments.order_by("created_at", "id")
        assert first.author == last.author == ticket.requester
        assert answer.author is not None
        assert answer.author.role == Person.Role.AGENT
        assert ticket.participants.get().person == ticket.requester
    connection.check_constraints()


def test_what_was_said_is_found_and_shown(filled: None) -> None:
    assert search.ticket_ids("zebrafish7") == [7]
    assert search.ticket_ids("INV-42")[:1] == [42]
    client = Client()
    client.force_login(
        Person.objects.get(email="agent3@example.com"), backend="helpdesk.auth.EmailBackend"
    )
    assert "INV-42" in client.get("/admin/tickets/42/").content.decode()


def test_work_goes_on_with_the_next_number(filled: None) -> None:
    assert ticket_of(receive(eml("Hello", message_id="a@a"))).pk > 100


def test_the_tables_have_their_indexes_and_rules_again(monkeypatch: pytest.MonkeyPatch) -> None:
    before = rules()
    list(years.fill(5))
    assert rules() == before


def rules() -> dict[str, Any]:
    """Each table's indexes and constraints, by their names."""
    with connection.cursor() as cursor:
        return {
            table: connection.introspection.get_constraints(cursor, table)
            for table in connection.introspection.table_names(cursor)
            if table.startswith(("helpdesk_", "inbound_")) and "helpdesk_search_" not in table
        }


def test_where_there_are_tickets_no_million_is_added() -> None:
    receive(eml("Hello", message_id="a@a"))
    with pytest.raises(CommandError, match="there are tickets already"):
        call_command("demo", tickets=5000)
    assert Ticket.objects.count() == 1
