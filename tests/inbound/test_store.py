"""What `store.accept` promises to a transport, which answers by it, and what a row holds then."""

import hashlib
import logging
from typing import Any

import pytest
from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, OperationalError

from inbound import glance, store
from inbound.models import InboundMail, Mailbox, RawMail
from inbound.reading.message import Envelope
from inbound.reading.results import Result
from inbound.store import Arrival, RecipientsChanged, UnknownRecipient, accept, accept_many, refuse
from tests.support.mail import SUPPORT, eml, mailbox

pytestmark = pytest.mark.django_db

SALES = "sales@example.com"


@pytest.fixture(autouse=True)
def _mailboxes() -> None:
    mailbox(), mailbox(SALES)


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The tasks that were rung for."""
    found: list[tuple[str, int]] = []
    monkeypatch.setattr(store, "ring", lambda task, pk: found.append((task, pk)))
    return found


def take(raw: bytes, *rcpt_tos: str, key: str | None = None, **more: Any) -> list[InboundMail]:
    envelope = Envelope(more.pop("mail_from", "cleo@example.net"), rcpt_tos or (SUPPORT,), **more)
    return [InboundMail.objects.get(pk=pk) for pk in accept(raw, envelope, "test", key=key)]


# --- Rows, and their bytes


@pytest.mark.parametrize(
    "raw",
    [
        eml("Hello"),
        b"",
        b"no header at all",
        b"Subject: \xff\x00\xfe\r\n\r\n" + bytes(range(256)),
        b"Subject: bare\nline ends\r\rof all kinds\n\r\n.\r\n..",
    ],
)
def test_the_bytes_are_kept_as_they_came(raw: bytes) -> None:
    (row,) = take(raw)
    assert row.raw is not None
    assert row.raw.content == raw
    assert (row.size, row.sha256) == (len(raw), hashlib.sha256(raw).hexdigest())


def test_a_mail_for_two_mailboxes_is_a_row_for_each_and_its_bytes_once() -> None:
    first, second = take(eml(), "Support+x@Example.com", SALES, SUPPORT)
    assert (first.mailbox.address, first.rcpt_to) == (SUPPORT, ["Support+x@Example.com", SUPPORT])
    assert (second.mailbox.address, second.rcpt_to) == (SALES, [SALES])
    assert first.raw_id == second.raw_id
    assert RawMail.objects.count() == 1


def test_a_row_is_work_to_do_and_nothing_is_decided_about_it() -> None:
    (row,) = take(eml())
    assert (row.state, row.reason, row.ticket_number, row.to_look_at) == (
        "received",
        "",
        None,
        None,
    )


def test_the_envelope_is_kept_on_one_line_and_as_long_as_it_may_be() -> None:
    (row,) = take(
        eml(),
        mail_from="c\r\nleo@example.net" + "x" * 500,
        client="192.0.2.1\r\n(helo)" + "y" * 200,
        results=(Result("spf", "pass", {"smtp.mailfrom": "cleo@example.net"}),),
    )
    assert row.mail_from is not None
    assert (len(row.mail_from), len(row.client)) == (400, 100)
    assert "\n" not in row.mail_from + row.client
    assert row.results is not None
    assert row.results[0]["method"] == "spf"


@pytest.mark.parametrize(
    ("given", "kept"),
    [(None, None), ("", ""), ("<>", ""), ("MAILER-DAEMON", ""), ("a@b.example", "a@b.example")],
)
def test_a_sender_that_nobody_told_is_none_and_the_null_sender_is_empty(
    given: str | None, kept: str | None
) -> None:
    assert take(eml(), mail_from=given)[0].mail_from == kept


def test_each_row_is_rung_for_by_its_size(rung: list[tuple[str, int]]) -> None:
    (small,), (large,) = take(eml()), take(eml("x" * 300_000))
    assert rung == [
        ("tasks.inbound.process", small.pk),
        ("tasks.inbound.process_large", large.pk),
    ]


# --- The transport's own key


def test_a_second_arrival_under_a_key_is_none_and_has_the_ids_of_the_first(
    rung: list[tuple[str, int]],
) -> None:
    envelope = Envelope("cleo@example.net", (SUPPORT, SALES))
    first = accept(eml(), envelope, "test", key="k")[:1]
    assert accept(eml("another"), envelope, "test", key="k") == first
    assert InboundMail.objects.count() == 2
    assert len(rung) == 2


def test_without_a_key_the_same_bytes_are_two_arrivals() -> None:
    take(eml()), take(eml())
    assert InboundMail.objects.count() == 2


def test_the_database_itself_holds_two_of_one_key_apart() -> None:
    mail = Arrival(eml(), Envelope(None, (SUPPORT,)), "test", "k")
    with pytest.raises(IntegrityError):
        accept_many([mail, mail])


# --- All of a group, or none


def test_a_group_is_stored_in_its_order_and_known_ones_among_it_are_not_stored_again() -> None:
    (old,) = take(eml("old"), key="old")
    envelope = Envelope(None, (SUPPORT,))
    new = [Arrival(eml(str(number)), envelope, "test", str(number)) for number in range(2)]
    (first,), (known,), (second,) = accept_many(
        [new[0], Arrival(eml("old"), envelope, "test", "old"), new[1]]
    )
    assert known == old.pk
    contents = dict(InboundMail.objects.values_list("pk", "raw__data"))
    assert (bytes(contents[first]), bytes(contents[second])) == (new[0].raw, new[1].raw)


def test_of_a_group_with_one_that_cannot_be_stored_nothing_is(rung: list[tuple[str, int]]) -> None:
    good = Arrival(eml(), Envelope(None, (SUPPORT,)), "test")
    with pytest.raises(UnknownRecipient):
        accept_many([good, Arrival(eml(), Envelope(None, ("nobody@example.com",)), "test")])
    assert (InboundMail.objects.count(), RawMail.objects.count(), rung) == (0, 0, [])


# --- Whom it is for


def test_nobody_of_ours_is_refused_for_good_and_named() -> None:
    with pytest.raises(UnknownRecipient, match=r"nobody@example\.com"):
        take(eml(), "nobody@example.com")
    assert not issubclass(UnknownRecipient, store.TEMPORARY)


def test_no_recipient_at_all_is_nobody_of_ours() -> None:
    with pytest.raises(UnknownRecipient, match="no recipient"):
        accept(eml(), Envelope(None, ()), "test")


def test_a_mailbox_that_was_switched_off_meanwhile_is_asked_for_again() -> None:
    Mailbox.objects.filter(address=SALES).update(is_active=False)
    with pytest.raises(RecipientsChanged):
        take(eml(), SUPPORT, SALES)
    assert issubclass(RecipientsChanged, store.TEMPORARY)
    assert not InboundMail.objects.exists()


# --- What a row is found by: a glance at the header block


def test_a_row_is_found_by_its_first_fields_unfolded() -> None:
    raw = (
        b"Message-ID: <One@X>\r\nmessage-id: <two@x>\r\nFROM: =?utf-8?q?Cl=C3=A9o?=\r\n"
        b" <Cleo@Example.NET>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\tand more\r\n\r\nFrom: no"
    )
    (row,) = take(raw)
    assert (row.message_id, row.from_address) == ("One@X", "cleo@example.net")
    assert row.subject == "Grüße and more"


def test_two_mails_with_the_same_body_have_that_in_common() -> None:
    (first,), (second,) = take(eml("Hello", subject="1")), take(eml("Hello", subject="2"))
    assert first.sha256 != second.sha256
    assert first.body_sha256 == second.body_sha256


@pytest.mark.parametrize(
    "raw", [b"", b"\r\n\r\n", b":", b"From\r\n\r\n", b"\x00" * 1000, b"Subject: " + b"a" * 500_000]
)
def test_whatever_the_header_there_is_a_row(raw: bytes) -> None:
    (row,) = take(raw)
    assert (row.from_address, row.message_id) == ("", "")
    assert len(row.subject) <= 500


def test_a_header_that_our_own_program_cannot_read_is_stored_and_named_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(value: str) -> list[Any]:
        raise RecursionError(value)

    monkeypatch.setattr(glance.headers, "addresses", broken)
    with caplog.at_level(logging.ERROR):
        (row,) = take(eml("words"))
    assert (row.from_address, row.subject) == ("", "")
    assert "cannot be read" in caplog.text
    assert "words" not in caplog.text


# --- Whose fault it is


class OfPostgres(Exception):
    def __init__(self, sqlstate: str) -> None:
        self.sqlstate = sqlstate


def caused(error: Exception, sqlstate: str) -> Exception:
    error.__cause__ = OfPostgres(sqlstate)
    return error


@pytest.mark.parametrize(
    "error",
    [
        ValueError("A string literal cannot contain NUL"),
        DataError(),
        caused(DatabaseError(), "22021"),
        caused(OperationalError(), "54000"),
        RecursionError(),
    ],
)
def test_such_a_fault_is_the_mails_own(error: Exception) -> None:
    assert store.is_its_own(error)


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("database is locked"),
        InterfaceError(),
        caused(OperationalError(), "57P01"),
        OSError(28, "No space left on device"),
        MemoryError(),
        ImportError(),
        UnknownRecipient(),
        store.Busy(),
    ],
)
def test_such_a_fault_is_not_the_mails_own(error: Exception) -> None:
    assert not store.is_its_own(error)


# --- What is refused for its size


def refused(head: bytes = b"", **more: Any) -> None:
    head = head or b"Message-ID: <a@x>\r\nSubject: Large\r\n\r\nwords that are not kept"
    refuse(
        head, Envelope("cleo@example.net", (SUPPORT,)), "test", **{"size": 90, "why": "w"} | more
    )


def test_what_is_refused_lies_where_people_look_with_its_header_alone(
    rung: list[tuple[str, int]],
) -> None:
    refused(why="it has 90 bytes")
    row = InboundMail.objects.get()
    assert (row.state, row.reason, row.to_look_at) == ("quarantined", store.TOO_LARGE, "unplaced")
    assert (row.size, row.error, row.subject) == (90, "it has 90 bytes", "Large")
    assert row.raw is not None
    assert row.raw.content == b"Message-ID: <a@x>\r\nSubject: Large\r\n\r\n"
    assert (row.transport_key, rung) == (None, [])


def test_one_that_is_refused_again_is_no_other_and_one_of_another_size_is() -> None:
    refused(), refused()
    assert InboundMail.objects.count() == 1
    refused(size=91)
    assert InboundMail.objects.count() == 2
