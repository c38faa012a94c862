"""Rows that are stored by a statement of our own are those that the model would have stored."""

from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, models
from django.forms.models import model_to_dict

from inbound.models import InboundMail, RawMail
from inbound.rows import ROWS_AT_ONCE, insert_values
from tests.support.mail import mailbox

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)


def columns(row: models.Model) -> dict[str, object]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def values(number: int) -> dict[str, object]:
    return {
        "mailbox_id": mailbox().pk,
        "transport": "smtp",
        "rcpt_to": ["a@b.c", "ü@b.c"],
        "results": [{"method": "spf"}] if number % 2 else None,
        "mail_from": None if number % 2 else "",
        "size": number,
        "sha256": "0" * 64,
        "subject": f"Grüße %s ? ' {number}",
        "is_history": bool(number % 2),
    }


def test_every_column_is_what_the_model_would_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)
    for name in ("received_at", "next_attempt_at"):
        monkeypatch.setattr(InboundMail._meta.get_field(name), "default", lambda: NOW)
        InboundMail._meta.get_field(name).__dict__.pop("_get_default", None)
    for number in (0, 1):
        saved = InboundMail.objects.create(**values(number))
        saved.refresh_from_db()
        (pk,) = insert_values(InboundMail, [values(number)])
        stored = InboundMail.objects.get(pk=pk)
        assert columns(stored) | {"id": 0} == columns(saved) | {"id": 0}
        assert model_to_dict(stored)["rcpt_to"] == ["a@b.c", "ü@b.c"]
    for name in ("received_at", "next_attempt_at"):
        InboundMail._meta.get_field(name).__dict__.pop("_get_default", None)


def test_ids_come_in_the_rows_order_however_many_there_are() -> None:
    many = [values(number) for number in range(2 * ROWS_AT_ONCE + 3)]
    ids = insert_values(InboundMail, many)
    stored = InboundMail.objects.in_bulk(ids)
    assert [stored[pk].size for pk in ids] == [row["size"] for row in many]
    assert [stored[pk].results for pk in ids] == [row["results"] for row in many]
    assert insert_values(InboundMail, []) == []


def test_bytes_are_stored_as_they_are() -> None:
    every = [bytes(range(256)), b"", b"x" * 300_000]
    ids = insert_values(RawMail, [{"data": data} for data in every])
    assert [bytes(RawMail.objects.get(pk=pk).data) for pk in ids] == every


def test_what_the_database_refuses_is_raised() -> None:
    row = values(1) | {"transport_key": "same"}
    with pytest.raises(IntegrityError):
        insert_values(InboundMail, [row, row])
