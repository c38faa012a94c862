"""What cleaning up costs: neither bytes that nobody needs nor a query for each of what there is."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from helpdesk import files
from inbound.models import InboundMail, RawMail
from tasks.housekeeping import compress
from tests.mail import arrive, eml

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


def test_files_of_many_tickets_are_looked_up_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "CHUNK", 4)
    names = [f"tickets/{ticket}/{n}.txt" for ticket in range(1, 8) for n in range(2)]
    for name in names:
        default_storage.save(name, ContentFile(b"x"))
    with CaptureQueriesContext(connection) as asked:
        found = list(files.orphans(timezone.now() + timedelta(minutes=1)))
    assert sorted(found) == sorted(names)
    assert len(asked) == 4  # fourteen names


def test_a_file_that_goes_away_meanwhile_is_no_orphan_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
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
