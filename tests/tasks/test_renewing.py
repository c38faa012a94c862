"""The short lease of a mail that is being sent: renewed while it goes on, given back when its
worker is gone."""

import os
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from helpdesk.models import OutboundMail
from tasks import holders, outbound, renewing, secret_mail, sending, sweeping
from tests.helpdesk.outbound.test_servers import mails, use
from tests.support.services import smtp_sink, wait_for

LONG_DEAD = 2**22 + 7  # above the largest process id


def held(by: str, **more: object) -> OutboundMail:
    (mail,) = mails(1)
    OutboundMail.objects.update(
        held_by=by, attempts=1, next_attempt_at=timezone.now() + timedelta(seconds=20), **more
    )
    mail.refresh_from_db()
    return mail


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("by", "gone"),
    [
        ("{machine} {space} {alive} {started}", False),
        ("{machine} {space} {dead} 17", True),  # killed
        ("{machine} {space} {alive} 17", True),  # an earlier process of that id
        ("{machine} another {alive} {started}", True),  # the container before it was started again
        ("0123456789abcdef {space} {dead} 17", False),  # another machine: nobody here can know
        ("an earlier version 0badf00d 17", False),
        ("", False),
    ],
)
def test_what_a_worker_that_is_gone_held_is_due_at_once(by: str, gone: bool) -> None:
    names = {
        "machine": holders._machine(),
        "space": holders._namespace(),
        "alive": os.getpid(),
        "dead": LONG_DEAD,
        "started": holders._started(os.getpid()),
    }
    mail = held(by.format(**names))
    assert outbound.release(holders.is_gone) == gone
    mail.refresh_from_db()
    assert (mail.next_attempt_at <= timezone.now()) is gone
    assert mail.deaths == gone


@pytest.mark.django_db
def test_what_kills_its_worker_waits_longer_each_time_and_is_given_up_whatever_it_said_before(
    settings,
) -> None:
    mail = held("x", error="451 4.3.0 an earlier answer")
    waits = []
    with smtp_sink() as sink:
        use(settings, sink)
        for _ in range(sending.MAX_DEATHS):
            OutboundMail.objects.update(held_by="x")
            outbound.release(lambda holder: True)
            mail.refresh_from_db()
            waits.append(round((mail.next_attempt_at - timezone.now()).total_seconds()))
        OutboundMail.objects.update(next_attempt_at=timezone.now())
        outbound.deliver(mail.pk)
        assert sink.mails == []
    mail.refresh_from_db()
    assert (mail.state, "died each time" in mail.error) == ("failed", True)
    assert waits[:2] == [0, 0]
    assert waits[2:] == sorted(waits[2:])
    assert waits[2] >= 14


@pytest.mark.django_db
def test_a_lease_that_ran_out_counts_as_a_death_and_an_answer_of_the_server_ends_the_count(
    settings,
) -> None:
    mail = held("somebody else")
    OutboundMail.objects.update(next_attempt_at=timezone.now())
    with smtp_sink() as sink:
        use(settings, sink)
        sink.rcpt_replies.append("450 4.2.0 later")
        seen: list[int] = []
        send = sending.delivery.send
        sending.delivery.send = lambda row: seen.append(row.deaths) or send(row)  # type: ignore[func-returns-value]
        try:
            outbound.deliver(mail.pk)
        finally:
            sending.delivery.send = send
    mail.refresh_from_db()
    assert (seen, mail.deaths, mail.held_by, mail.state) == ([1], 0, "", "queued")


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(
    "connection.vendor == 'sqlite' and connection.is_in_memory_db()", reason="one connection alone"
)
def test_a_lease_is_renewed_while_the_mail_is_sent_and_not_for_ever() -> None:
    mail = held(holders.holder())
    lease = timedelta(seconds=1.5)

    def left() -> float:
        return (
            OutboundMail.objects.get(pk=mail.pk).next_attempt_at - timezone.now()
        ).total_seconds()

    OutboundMail.objects.update(next_attempt_at=timezone.now() + lease)
    with renewing.renewed(OutboundMail.objects.all(), [mail], lease, at_most=timedelta(seconds=4)):
        time.sleep(3)
        assert left() > 0.3
        wait_for(lambda: left() < -0.5, 10)
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_that_it_was_sent_is_written_down_once_the_database_is_back(settings, monkeypatch) -> None:
    (mail,) = mails(1)
    faults = iter([OperationalError("the server closed the connection"), InterfaceError("closed")])
    sent = sending.delivery.sent

    def away(*args: Any) -> dict[str, Any]:
        for fault in faults:
            # Meanwhile the lease has run out, and somebody else has leased it.
            OutboundMail.objects.update(attempts=9)
            raise fault
        return sent(*args)

    monkeypatch.setattr(sending.delivery, "sent", away)
    with smtp_sink() as sink:
        use(settings, sink)
        outbound.deliver(mail.pk)
        mail.refresh_from_db()
        assert (mail.state, mail.held_by, len(sink.mails)) == ("sent", "", 1)


@pytest.mark.django_db(transaction=True)
def test_a_renewal_that_fails_is_tried_again(monkeypatch) -> None:
    mail = held(holders.holder())
    lease, faults = timedelta(seconds=2), iter([OperationalError("away"), RuntimeError("odd")])

    class Rows:
        def filter(self, **which: Any) -> Any:
            for fault in faults:
                raise fault
            return OutboundMail.objects.filter(**which)

    OutboundMail.objects.update(next_attempt_at=timezone.now() + lease)
    with renewing.renewed(Rows(), [mail], lease, at_most=timedelta(seconds=30)):  # type: ignore[arg-type]
        wait_for(
            lambda: (
                OutboundMail.objects.get().next_attempt_at
                > mail.next_attempt_at - timedelta(seconds=17)
            ),
            10,
        )
        time.sleep(2.5)
        assert OutboundMail.objects.get().next_attempt_at > timezone.now()


def test_a_code_waits_no_longer_than_ten_seconds_for_a_worker_that_was_killed() -> None:
    assert secret_mail.LEASE + sweeping.LATE + timedelta(seconds=2) < timedelta(seconds=10)
