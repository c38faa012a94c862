"""What cleaning up costs: neither bytes that nobody needs nor a query for each of what there is."""

from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt, AccessLog
from django.contrib.sessions.models import Session
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from helpdesk import actions
from helpdesk.files import stored as files
from helpdesk.models import VerifiedAddress
from inbound.models import InboundMail, RawMail
from tasks.housekeeping import clean_up, compress
from tests.support.mail import agent, arrive, eml

pytestmark = pytest.mark.django_db


def stored(count: int, minutes: int) -> list[int]:
    rows = [arrive(eml("x" * 2000, message_id=f"{minutes}-{n}@x")) for n in range(count)]
    InboundMail.objects.filter(pk__in=[row.pk for row in rows]).update(
        received_at=timezone.now() - timedelta(minutes=minutes)
    )
    return [row.raw_id or 0 for row in rows]


def test_looking_for_mail_that_is_old_enough_to_compress_reads_none_of_its_bytes() -> None:
    stored(3, minutes=5)
    with CaptureQueriesContext(connection) as asked:
        assert compress() == 0
    (query,) = asked.captured_queries
    assert '"data"' not in query["sql"]


def test_one_mail_after_the_other_is_read_and_compressed() -> None:
    old = stored(3, minutes=70)
    stored(2, minutes=5)
    with CaptureQueriesContext(connection) as asked:
        assert compress() == 3
    assert set(RawMail.objects.filter(is_compressed=True).values_list("pk", flat=True)) == set(old)
    reads = [query["sql"] for query in asked.captured_queries if query["sql"].startswith("SELECT")]
    assert len(reads) == 1 + 3
    assert all(str(pk) in sql for pk, sql in zip(sorted(old), reads[1:], strict=True))


def test_received_bytes_are_kept_as_long_as_is_set_and_by_default_for_ever(settings) -> None:
    day = 24 * 60
    (young,), (old,), (unread,) = (stored(1, minutes=days * day) for days in (9, 11, 12))
    done = InboundMail.objects.exclude(raw=unread)
    done.update(state="done")
    for days, kept in ((0, {young, old, unread}), (10, {young, unread}), (8, {unread})):
        settings.RAW_MAIL_DAYS = days
        clean_up()
        assert set(RawMail.objects.values_list("pk", flat=True)) == kept, days
    assert InboundMail.objects.count() == 3  # what was read of them stays


def test_files_of_many_tickets_are_looked_up_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "CHUNK", 4)
    names = [f"tickets/{ticket}/{n}.txt" for ticket in range(1, 8) for n in range(2)]
    for name in names:
        default_storage.save(name, ContentFile(b"x"))
    with CaptureQueriesContext(connection) as asked:
        found = list(files.orphans(timezone.now() + timedelta(minutes=1)))
    assert sorted(found) == sorted(names)
    assert len(asked) == 4  # fourteen names


def test_a_file_that_goes_away_meanwhile_is_no_orphan_and_stops_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for n in range(3):
        default_storage.save(f"tickets/1/{n}.txt", ContentFile(b"x"))
    real: Any = default_storage.get_modified_time

    def late(name: str) -> Any:
        if name.endswith("1.txt"):
            default_storage.delete(name)
        return real(name)

    monkeypatch.setattr(default_storage._wrapped, "get_modified_time", late)  # type: ignore[attr-defined]
    found = sorted(files.orphans(timezone.now() + timedelta(minutes=1)))
    assert found == ["tickets/1/0.txt", "tickets/1/2.txt"]


def test_what_signing_in_leaves_behind_goes_when_it_is_worth_nothing_any_more() -> None:
    """Addresses, networks and times of people: nobody keeps them for ever."""
    agent(), agent("Bob")
    for name in ("ada", "bob"):
        Client().post("/admin/login/", {"username": f"{name}@example.com", "password": "wrong"})
        Client().post(
            "/admin/login/?next=/admin/",
            {"username": f"{name}@example.com", "password": "correct horse battery"},
        )
    Client().post("/admin/login/", {"username": "eve@example.com", "password": "wrong"})
    AccessAttempt.objects.create(username="old@example.com", user_agent="x", failures_since_start=1)
    actions.verified("old@example.net", client="x"), actions.verified("new@example.net", client="x")
    tables = (AccessAttempt, AccessLog, Session, VerifiedAddress)
    counts = [model.objects.count() for model in tables]
    clean_up()
    assert [model.objects.count() for model in tables] == counts
    now = timezone.now()
    AccessAttempt.objects.filter(username="old@example.com").update(
        attempt_time=now - timedelta(days=1, minutes=1)
    )
    AccessLog.objects.filter(username="ada@example.com").update(
        attempt_time=now - timedelta(days=32)
    )
    Session.objects.filter(pk=Session.objects.order_by("pk").values("pk")[:1]).update(
        expire_date=now
    )
    VerifiedAddress.objects.filter(address="old@example.net").update(expires_at=now)
    clean_up()
    assert [model.objects.count() for model in tables] == [count - 1 for count in counts]
    assert not AccessAttempt.objects.filter(username="old@example.com").exists()
    assert AccessLog.objects.get().username == "bob@example.com"
