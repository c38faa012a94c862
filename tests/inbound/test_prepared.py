"""Queries whose SQL is made once."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inbound.models import InboundMail, Mailbox
from inbound.prepared import Prepared
from tests.support.mail import eml, mailbox, receive

pytestmark = pytest.mark.django_db


def test_it_answers_as_the_query_does_whatever_the_values_and_however_many() -> None:
    mailbox()
    for number in range(3):
        receive(eml("x", message_id=f"m{number}@x"))
    made = []

    def make(ids, pk, since, subject):
        made.append(1)
        rows = InboundMail.objects.filter(
            message_id__in=ids, received_at__gt=since, state="done"
        ).exclude(pk=pk)
        return rows.exclude(subject=subject).order_by("pk").values_list("message_id", "pk")

    asked = Prepared(make)
    past, future = timezone.now() - timedelta(hours=1), timezone.now() + timedelta(hours=1)
    last = InboundMail.objects.latest("pk").pk
    for values in (
        (["m0@x", "m1@x"], 0, past, "it's 100 % \1mark 0"),
        (["m2@x", "nothing"], 0, past, "no"),
        (["m2@x", "m1@x"], last, past, "no"),
        (["m0@x", "m1@x"], 0, future, "no"),
        (["m1@x"], 0, past, "no"),
    ):
        expected = list(make(*values))
        made.pop()
        assert asked(*values) == expected
    assert len(made) == 2  # one for each length of the list


def test_an_address_is_found_whatever_its_case_and_what_a_field_changes_otherwise_is_an_error() -> (
    None
):
    found = mailbox("support@example.com")
    by_address = Prepared(lambda address: Mailbox.objects.filter(address=address).values_list("pk"))
    among = Prepared(
        lambda addresses: Mailbox.objects.filter(address__in=addresses).values_list("pk")
    )
    for spelling in ("support@example.com", "Support@EXAMPLE.com"):
        assert by_address(spelling) == among(["x@y", spelling]) == [(found.pk,)]
    beginning = Prepared(
        lambda name: Mailbox.objects.filter(name__startswith=name).values_list("pk")
    )
    with pytest.raises(TypeError, match="as it was given"):
        beginning("Sup")


def test_a_partial_index_is_of_use() -> None:
    waiting = Prepared(
        lambda parent: (
            InboundMail.objects.filter(waiting_for=parent)
            .exclude(waiting_for="")
            .values_list("pk")[:100]
        )
    )
    with CaptureQueriesContext(connection) as captured:
        waiting("parent@x")
    sql = captured[0]["sql"]
    assert "= ''" in sql
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            assert "inbound_mail_waiting" in str(cursor.fetchall())
