"""Books that add up: where every mail ended, and that what was decided once stays decided."""

import smtplib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from io import StringIO
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.db import connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from helpdesk import actions, ledger
from helpdesk.models import Event, OutboundMail, Person, Ticket
from inbound import queue, store
from inbound.addresses import bounce_address
from inbound.models import InboundMail, Mailbox, RawMail
from inbound.reading.message import Envelope
from inbound.transports.smtp import rates
from inbound.transports.smtp.listener import Listener
from tasks.housekeeping import compress
from tasks.inbound import process
from tests.support.api import Api
from tests.support.mail import (
    SUPPORT,
    agent,
    another_worker_has,
    arrive,
    customer,
    delivered,
    eml,
    mailbox,
    receive,
    ticket_of,
)

pytestmark = pytest.mark.django_db

SALES = "sales@example.com"
REPORT = b"""From: MAILER-DAEMON@mx.example.net\nTo: support@example.com\nSubject: Undelivered Mail Returned to Sender
Message-ID: <%b>
MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=B\n\n--B\n\nno\n--B
Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n
Final-Recipient: rfc822; cleo@example.net\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 no such user\n
--B--\n"""


def admin() -> Person:
    found = Person.objects.filter(email="root@example.com").first()
    return found or Person.objects.create_user(
        "root@example.com", "correct horse battery", role=Person.Role.ADMIN
    )


# --- The sums


def everything(to: str, name: str) -> Counter[str]:
    """One mail to `to` for each way that a mail can end there alone, through the whole pipeline;
    how many are in which column."""
    mailbox(to)
    sender = f"{name}@example.net"
    first = eml("Help", sender=sender, message_id=f"{name}-new@x")
    assert receive(first, rcpt=to).reason == "open"
    answer = {"in_reply_to": f"<{name}-new@x>"}
    assert (
        receive(eml("More", sender=sender, message_id=f"{name}-more@x", **answer), rcpt=to).reason
        == "comment"
    )
    assert (
        receive(
            eml("I", sender="eve@example.org", message_id=f"{name}-eve@x", **answer), rcpt=to
        ).reason
        == "hold"
    )
    sent = OutboundMail.objects.get(to_address=sender)
    returned = delivered(sent)
    assert (
        receive(
            REPORT % f"{name}-back@x".encode(), rcpt=bounce_address(to, sent.pk), mail_from=""
        ).reason
        == "bounce"
    )
    assert receive(first, rcpt=to).reason == "duplicate"
    assert receive(returned, rcpt=to).reason == "loop"
    assert (
        receive(eml("Buy", message_id=f"{name}-spam@x", x_spam_flag="YES"), rcpt=to).state
        == "quarantined"
    )
    failing = arrive(eml("Broken", sender=sender, message_id=f"{name}-broken@x"), rcpt=to)
    InboundMail.objects.filter(pk=failing.pk).update(raw=None)
    for _ in range(5):
        InboundMail.objects.filter(pk=failing.pk).update(next_attempt_at=timezone.now())
        process(failing.pk)
    failing.refresh_from_db()
    assert failing.state == "failed"
    another_worker_has(arrive(eml("Parent", sender=sender, message_id=f"{name}-parent@x"), rcpt=to))
    child = receive(
        eml("Child", sender=sender, message_id=f"{name}-c@x", in_reply_to=f"<{name}-parent@x>"),
        rcpt=to,
    )
    assert (child.state, child.waiting_for) == ("received", f"{name}-parent@x")
    another_worker_has(child)
    columns = [name for name in ledger.COLUMNS if name != "also elsewhere"]
    return Counter({**dict.fromkeys(columns, 1), "waiting": 2})


@pytest.fixture
def booked() -> dict[tuple[date, str], Counter[str]]:
    """Two mailboxes and two days, each with numbers of its own: what the ledger has to say."""
    today = timezone.localdate()
    expected: dict[tuple[date, str], Counter[str]] = {}
    number = 0
    for times, (day, address) in enumerate(
        [
            (today, SUPPORT),
            (today, SALES),
            (today - timedelta(days=1), SUPPORT),
            (today - timedelta(days=1), SALES),
        ],
        1,
    ):
        before = set(InboundMail.objects.values_list("pk", flat=True))
        for _ in range(times):
            number += 1
            expected[day, address] = expected.get((day, address), Counter()) + everything(
                address, f"cleo{number}"
            )
        if times == 4:
            assert (
                receive(REPORT % b"unknown@x", rcpt=address, mail_from="").reason
                == "unknown report"
            )
            expected[day, address]["quarantined"] += 1
        noon = timezone.make_aware(datetime.combine(day, time(12)))
        InboundMail.objects.exclude(pk__in=before).update(received_at=noon)
    return expected


def test_every_mail_is_in_one_column_and_the_columns_sum_to_what_was_sent(
    booked: dict[tuple[date, str], Counter[str]],
) -> None:
    lines = ledger.lines()
    assert {(line.day, line.mailbox): line.columns for line in lines} == booked
    assert [(line.day, line.mailbox) for line in lines] == sorted(
        booked, key=lambda key: (-key[0].toordinal(), key[1])
    )
    for line in lines:
        sent = InboundMail.objects.filter(
            mailbox__address=line.mailbox, received_at__date=line.day
        ).count()
        assert line.arrived == sum(line.cells) == sent
        assert sum(line.quarantined.values()) == line.columns["quarantined"]
        assert (
            line.to_look_at == line.columns["failed"]
        )  # spam and reports of others are looked through now and then
    assert lines[-2].quarantined == {"spam": 4, "unknown report": 1}
    total = ledger.totals(lines)
    assert total == sum(booked.values(), Counter())
    assert sum(total.values()) == InboundMail.objects.count() == 101
    assert {line.day for line in ledger.lines(days=1)} == {timezone.localdate()}
    box = Mailbox.objects.get(address=SALES)
    assert {line.mailbox for line in ledger.lines(mailbox=box.pk)} == {SALES}
    assert ledger.backlog() == {box.pk: 12, Mailbox.objects.get(address=SUPPORT).pk: 8}


def test_what_is_let_through_or_run_again_moves_to_another_column_and_the_sum_stays(
    booked: dict[tuple[date, str], Counter[str]],
) -> None:
    before = ledger.totals(ledger.lines())
    spam = InboundMail.objects.filter(state="quarantined").latest("pk")
    queue.requeue([spam], force=True)
    assert ledger.totals(ledger.lines()) == before + Counter({"waiting": 1}) - Counter(
        {"quarantined": 1}
    )
    process(spam.pk)
    after = ledger.totals(ledger.lines())
    assert after == before + Counter({"new tickets": 1}) - Counter({"quarantined": 1})


def test_a_day_begins_at_midnight_of_the_time_zone() -> None:
    row = receive(eml("Late", message_id="late@x"))
    late = datetime.combine(
        timezone.localdate() - timedelta(days=2), time(23, 30), tzinfo=ZoneInfo("UTC")
    )
    InboundMail.objects.filter(pk=row.pk).update(received_at=late)
    (line,) = ledger.lines()
    assert line.day == late.date()
    with timezone.override("Asia/Tokyo"):
        (line,) = ledger.lines()
        assert line.day == late.date() + timedelta(days=1)


def test_agents_see_the_ledger_and_customers_do_not(
    booked: dict[tuple[date, str], Counter[str]],
) -> None:
    total = sum(booked.values(), Counter())
    page, path = Client(), reverse("admin:ledger")
    page.force_login(agent())
    shown = page.get(path)
    assert shown.status_code == 200
    assert shown.context["arrived"] == 101
    assert shown.context["total"] == [total[name] for name in ledger.COLUMNS]
    assert SALES in shown.content.decode()
    assert "spam 4, unknown report 1" in shown.content.decode()
    answer = Api(agent())("GET", "/api/ledger/")
    assert answer.status_code == 200
    found = {(date.fromisoformat(line["day"]), line["mailbox"]): line for line in answer.json()}
    assert {key: Counter(line["columns"]) for key, line in found.items()} == booked
    assert {key: line["arrived"] for key, line in found.items()} == {
        key: sum(n.values()) for key, n in booked.items()
    }

    page.force_login(customer())
    refused = page.get(path)
    assert refused.status_code in {302, 403, 404}
    assert SALES not in refused.content.decode()
    for person, code in ((customer(), 403), (None, 401)):
        refused = Api(person)("GET", "/api/ledger/")
        assert refused.status_code == code
        assert SALES not in refused.content.decode()


# --- One mail, however often it comes


@pytest.mark.parametrize("backwards", [False, True])
def test_a_mail_to_two_mailboxes_is_one_ticket_whose_history_names_both(backwards: bool) -> None:
    mailbox()
    mailbox(SALES)
    raw = eml("Both", to=f"{SUPPORT}, {SALES}", message_id="both@x")
    pks = store.accept(raw, Envelope("cleo@example.net", (SUPPORT, SALES)), "smtp")
    for pk in sorted(pks, reverse=backwards):
        process(pk)
    ticket = Ticket.objects.get()
    other = SUPPORT if str(ticket.mailbox) == SALES else SALES
    assert Event.objects.get(ticket=ticket, kind="also-at").data["mailbox"] == other
    page = Client()
    page.force_login(agent())
    shown = page.get(reverse("admin:ticket", args=[ticket.pk])).content.decode()
    assert f"got the same mail at {other}" in shown
    assert str(ticket.mailbox) in shown
    assert [(line.mailbox, +line.columns) for line in ledger.lines()] == [
        (address, {"new tickets" if address == str(ticket.mailbox) else "also elsewhere": 1})
        for address in (SALES, SUPPORT)
    ]
    copy = InboundMail.objects.get(reason="also elsewhere")
    said = page.get(reverse("admin:inbound_mail", args=[copy.pk])).content.decode()
    assert f"on ticket {ticket.pk}, which came to {ticket.mailbox} as well" in said
    # The same mailbox once more is no news.
    receive(raw, rcpt=str(ticket.mailbox))
    assert Event.objects.filter(kind="also-at").count() == 1


@pytest.mark.parametrize("message_id", ["gone@x", ""])
def test_a_deleted_ticket_does_not_come_back_when_its_mail_is_fetched_again(
    message_id: str,
) -> None:
    mailbox()
    raw = eml("Forget me", message_id=message_id)

    def fetch(validity: int) -> InboundMail:
        key = f"imap:support@imap.example.com:993/INBOX:{validity}:7"
        (pk,) = store.accept(raw, Envelope("", (SUPPORT,), "imap"), "imap", key=key)
        process(pk)
        return InboundMail.objects.get(pk=pk)

    ticket = ticket_of(fetch(1))
    assert fetch(1).reason == "open"  # the same fetch: the same row
    actions.delete_ticket(ticket, actor=admin())
    assert not Ticket.objects.exists()
    again = fetch(2)
    assert (again.state, again.reason) == ("ignored", "duplicate")
    assert not Ticket.objects.exists()
    assert +ledger.totals(ledger.lines()) == {"new tickets": 1, "duplicates": 1}


# --- Raw mail that is compressed


def aged(row: InboundMail, minutes: int = 61) -> InboundMail:
    InboundMail.objects.filter(pk=row.pk).update(
        received_at=timezone.now() - timedelta(minutes=minutes)
    )
    return InboundMail.objects.select_related("raw").get(pk=row.pk)


def test_raw_mail_is_compressed_after_an_hour_and_is_there_as_before() -> None:
    raw = eml("Grüße " * 500, message_id="long@x", subject="Long")
    row = receive(raw)
    assert compress() == 0
    row = aged(row)
    young = receive(eml("Young", message_id="young@x"))
    assert compress() == 1
    assert compress() == 0
    row = InboundMail.objects.select_related("raw").get(pk=row.pk)
    assert row.raw is not None
    assert row.raw.is_compressed
    assert len(row.raw.data) < len(raw) / 2
    assert row.raw.content == raw
    assert not RawMail.objects.get(mails=young).is_compressed

    page = Client()
    page.force_login(agent())
    shown = page.get(reverse("admin:inbound_mail", args=[row.pk]))
    assert shown.context["source"] == raw.decode()
    loaded = page.get(reverse("admin:mail_source", args=[row.pk]))
    assert loaded.content == raw
    page.force_login(customer())
    assert page.get(reverse("admin:mail_source", args=[row.pk])).status_code in {302, 404}

    said = StringIO()
    call_command("reprocess", row.pk, dry_run=True, stdout=said)
    assert (
        said.getvalue()
        == f"mail {row.pk}: was done open, #{row.ticket_number} by rule new; would be open (new)\n"
    )


def test_a_failed_mail_that_was_compressed_meanwhile_is_run_again() -> None:
    mailbox()
    row = arrive(eml("Later", message_id="later@x"))
    InboundMail.objects.filter(pk=row.pk).update(state="failed", error="x", attempts=5)
    aged(row)
    assert compress() == 1
    call_command("reprocess", row.pk, stdout=StringIO())
    process(row.pk)
    row.refresh_from_db()
    assert ticket_of(row).comments.get().text.strip() == "Later"


# --- How much one client may hand over


@contextmanager
def listening() -> Iterator[int]:
    mailbox()
    found = Listener(("127.0.0.1", 0), None)
    found.start()
    try:
        yield found.ports["smtp"]
    finally:
        found.stop()
        connections.close_all()


@pytest.fixture
def minutes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The minute that it is for the limits: the test turns it."""
    found = [1]
    monkeypatch.setattr(rates, "time", SimpleNamespace(monotonic=lambda: found[0] * 60.0))
    return found


def codes(port: int, number: int, sender: str) -> list[int]:
    """The answers to that many messages on one connection."""
    found = []
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as smtp:
        for _ in range(number):
            try:
                smtp.sendmail(sender, [SUPPORT], eml("x"))
                found.append(250)
            except smtplib.SMTPSenderRefused as refused:
                found.append(refused.smtp_code)
    return found


@pytest.mark.django_db(transaction=True)
def test_over_the_limit_a_client_is_told_to_come_back_and_the_next_minute_is_free(
    settings, minutes
) -> None:
    settings.SMTP_TRUSTED, settings.SMTP_CLIENT_RATE, settings.SMTP_SENDER_RATE = [], 5, 0
    with listening() as port:
        assert codes(port, 8, "cleo@example.net") == [250] * 5 + [451] * 3
        assert (
            codes(port, 3, "dan@example.net") == [451] * 3
        )  # another connection and sender, the same client
        minutes[0] += 1
        assert codes(port, 2, "cleo@example.net") == [250] * 2
    assert InboundMail.objects.count() == 7


@pytest.mark.django_db(transaction=True)
def test_a_sender_has_a_limit_of_its_own_and_reports_have_none(settings, minutes) -> None:
    settings.SMTP_TRUSTED, settings.SMTP_CLIENT_RATE, settings.SMTP_SENDER_RATE = [], 0, 2
    with listening() as port:
        assert codes(port, 4, "Cleo@example.net") == [250, 250, 451, 451]
        assert codes(port, 1, "cleo@EXAMPLE.net") == [451]
        assert codes(port, 2, "dan@example.net") == [250, 250]
        assert codes(port, 6, "") == [250] * 6


@pytest.mark.django_db(transaction=True)
def test_a_trusted_client_is_not_counted(settings, minutes) -> None:
    settings.SMTP_TRUSTED, settings.SMTP_CLIENT_RATE, settings.SMTP_SENDER_RATE = (
        ["127.0.0.0/8"],
        1,
        1,
    )
    with listening() as port:
        assert codes(port, 4, "cleo@example.net") == [250] * 4
