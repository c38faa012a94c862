"""Whose a row is: of two workers one leases it, and one finishes."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inbound.models import InboundMail
from tasks import inbound, outbound
from tasks.leasing import back_off, finish, lease_due, lease_row
from tests.support.mail import arrive, eml

pytestmark = pytest.mark.django_db
RECEIVED = InboundMail.objects.filter(state="received")
LEASE = timedelta(seconds=60)
MOMENT = timedelta(milliseconds=2)  # the database's clock may know no less


def leased(row: InboundMail) -> InboundMail:
    found = lease_row(RECEIVED.all(), row.pk, lease=LEASE)
    assert found is not None
    return found


def its_lease_runs_out(row: InboundMail) -> None:
    InboundMail.objects.filter(pk=row.pk).update(
        next_attempt_at=timezone.now() - timedelta(seconds=1)
    )


def test_a_lease_holds_the_row_for_its_time_and_counts_the_attempt() -> None:
    row = arrive(eml("x"))
    before = timezone.now()
    mine = leased(row)
    row.refresh_from_db()
    for seen in (mine, row):
        assert before + LEASE - MOMENT <= seen.next_attempt_at <= timezone.now() + LEASE
        assert seen.attempts == 1


def test_what_another_worker_holds_is_leased_by_nobody_else_before_its_lease_runs_out() -> None:
    row = arrive(eml("x"))
    leased(row)
    assert lease_row(RECEIVED.all(), row.pk, lease=LEASE) is None
    its_lease_runs_out(row)
    assert leased(row).attempts == 2


def test_a_row_is_not_leased_before_it_is_due_nor_once_it_is_finished() -> None:
    row, other = arrive(eml("x")), arrive(eml("y"))
    InboundMail.objects.filter(pk=row.pk).update(
        next_attempt_at=timezone.now() + timedelta(seconds=5)
    )
    InboundMail.objects.filter(pk=other.pk).update(state="done")
    for pk in (row.pk, other.pk):
        assert lease_row(RECEIVED.all(), pk, lease=LEASE) is None
    assert list(InboundMail.objects.order_by("pk").values_list("attempts", flat=True)) == [0, 0]


def test_a_lease_is_of_one_row_alone() -> None:
    row, other = arrive(eml("x")), arrive(eml("y"))
    assert leased(row).pk == row.pk
    assert finish(RECEIVED.all(), leased(other), error="mine")
    assert list(InboundMail.objects.order_by("pk").values_list("attempts", "error")) == [
        (1, ""),
        (1, "mine"),
    ]


def test_a_worker_whose_lease_ran_out_writes_nothing_over_the_one_that_took_the_row_since() -> None:
    row = arrive(eml("x"))
    slow = leased(row)
    its_lease_runs_out(row)
    quick = leased(row)
    # The other is still at work: the row is "received" as it was, and only the attempt tells the
    # two apart.
    assert not finish(RECEIVED.all(), slow, state="failed", error="slow")
    row.refresh_from_db()
    assert (row.state, row.error) == ("received", "")
    assert finish(RECEIVED.all(), quick, state="done", reason="open")
    assert not finish(RECEIVED.all(), slow, state="failed", error="slow")
    row.refresh_from_db()
    assert (row.state, row.reason, row.error) == ("done", "open", "")


def test_pauses_double_from_the_first_to_the_longest() -> None:
    seconds = [back_off(attempts).total_seconds() for attempts in (0, 1, 2, 3, 10, 11, 1000)]
    assert seconds == [5, 5, 10, 20, 2560, 3600, 3600]
    assert back_off(3, first=2, longest=7).total_seconds() == 7


def test_those_that_have_been_due_longest_are_leased_and_come_in_that_order() -> None:
    rows = [arrive(eml("x")) for _ in range(4)]
    for row, minutes in zip(rows, (1, 4, 2, 3), strict=True):
        since = timezone.now() - timedelta(minutes=minutes)
        InboundMail.objects.filter(pk=row.pk).update(next_attempt_at=since)
    found = lease_due(RECEIVED.select_related("raw"), 3, lease=LEASE)
    assert [row.pk for row in found] == [rows[1].pk, rows[3].pk, rows[2].pk]
    assert [row.attempts for row in found] == [1, 1, 1]
    assert [row.pk for row in lease_due(RECEIVED.all(), 3, lease=LEASE)] == [rows[0].pk]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL reads a small table through")
@pytest.mark.parametrize(
    ("rows", "index"),
    [(inbound._RECEIVED.filter(is_slow=False), "inbound_mail_due"), (None, "outbound_due")],
)
def test_a_backlog_is_not_gone_through_for_a_few_of_it(
    rows: "QuerySet[InboundMail] | None", index: str
) -> None:
    with CaptureQueriesContext(connection) as asked:
        lease_due(outbound._rows() if rows is None else rows, 10, lease=LEASE)
    (first,) = [query["sql"] for query in asked if query["sql"].startswith("SELECT")][:1]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {first}")
        plan = str(cursor.fetchall())
    assert index in plan
    assert "TEMP B-TREE" not in plan
    assert "rawmail" not in plan
