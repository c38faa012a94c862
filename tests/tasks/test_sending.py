"""Mail that is leased and sent together: what goes wrong with one is that one's."""

from collections import Counter
from datetime import timedelta
from threading import Barrier, Thread

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from helpdesk.models import MailServer, OutboundMail
from helpdesk.outbound import servers
from tasks import holders, outbound, sending, writing_down
from tests.helpdesk.outbound.test_servers import mails, use
from tests.support.services import smtp_sink

pytestmark = pytest.mark.django_db


def states() -> list[str]:
    return list(OutboundMail.objects.order_by("pk").values_list("state", flat=True))


def test_one_ring_sends_the_ten_that_have_been_due_longest_in_their_order(settings) -> None:
    waiting = mails(12)
    with smtp_sink() as sink:
        use(settings, sink)
        outbound.deliver(waiting[3].pk)
        assert [one[0].rcpt_tos[0] for one in sink.mails] == [
            mail.to_address for mail in waiting[:10]
        ]
    assert states() == ["sent"] * 10 + ["queued"] * 2
    assert set(OutboundMail.objects.values_list("held_by", "attempts")) == {("", 1), ("", 0)}


def test_a_ring_for_what_went_out_with_others_sends_nothing(settings) -> None:
    first, second, *_ = mails(12)
    with smtp_sink() as sink:
        use(settings, sink)
        outbound.deliver(first.pk)
        outbound.deliver(second.pk)
        assert len(sink.mails) == 10


def test_a_mail_that_cannot_be_sent_harms_none_beside_it(settings, monkeypatch) -> None:
    poisoned, *_ = mails(5)
    may_get = sending.access.may_get

    def fails(mail: OutboundMail) -> bool:
        if mail.pk == poisoned.pk:
            raise RuntimeError("poisoned")
        return may_get(mail)

    monkeypatch.setattr(sending.access, "may_get", fails)
    with smtp_sink() as sink:
        use(settings, sink)
        outbound.deliver(poisoned.pk)
        assert len(sink.mails) == 4
    assert states() == ["queued", *["sent"] * 4]


def test_what_may_have_killed_its_worker_goes_alone(settings) -> None:
    killer, *others = mails(4)
    OutboundMail.objects.filter(pk=killer.pk).update(deaths=1)
    with smtp_sink() as sink:
        use(settings, sink)
        outbound.deliver(others[0].pk)
        assert len(sink.mails) == 3
        outbound.deliver(killer.pk)
        assert len(sink.mails) == 4
    assert states() == ["sent"] * 4


def test_what_another_held_when_its_lease_ran_out_goes_alone(settings) -> None:
    stale, *_ = mails(3)
    OutboundMail.objects.filter(pk=stale.pk).update(held_by="somebody else", attempts=1)
    with smtp_sink() as sink:
        use(settings, sink)
        outbound.deliver(stale.pk)
        assert len(sink.mails) == 1


def test_a_circuit_that_opens_on_the_way_lets_the_rest_wait_unpunished(settings) -> None:
    waiting = mails(8)
    with smtp_sink() as sink:
        use(settings, sink)
        sink.replies.extend(["250 OK"] * 2 + ["554 5.7.1 Relay access denied"] * 10)
        outbound.deliver(waiting[0].pk)
        assert len(sink.replies) == 12 - 2 - servers.FAULTS
    rest = OutboundMail.objects.filter(reason=servers.WAITS)
    assert set(rest.values_list("attempts", "held_by")) == {(0, "")}
    assert states() == ["sent"] * 2 + ["queued"] * 6
    assert rest.count() == 3
    assert MailServer.objects.get().open_until is not None


def test_what_was_sent_before_a_refusal_does_not_speak_for_the_server_after_it(settings) -> None:
    _, refused = mails(2)
    MailServer.objects.create(name="support@example.com", faults=1, error="x")
    with smtp_sink() as sink:
        use(settings, sink)
        sink.replies.extend(["250 OK", "554 5.7.1 Relay access denied"])
        outbound.deliver(refused.pk)
    refused.refresh_from_db()
    assert not servers.takes_others(refused)


def test_what_was_not_begun_in_time_is_due_as_it_was(settings, monkeypatch) -> None:
    waiting = mails(4)
    monkeypatch.setattr(sending, "BEGIN_SECONDS", 0.0)
    due = OutboundMail.objects.order_by("pk").values_list("next_attempt_at", flat=True)
    before = list(due)
    with smtp_sink() as sink:
        use(settings, sink)
        outbound.deliver(waiting[0].pk)
        assert len(sink.mails) == 1
    assert list(due)[1:] == before[1:]
    rest = OutboundMail.objects.filter(state="queued")
    assert set(rest.values_list("attempts", "held_by", "deaths")) == {(0, "", 0)}


def test_where_one_was_leased_by_another_meanwhile_the_others_are_written_down_alone(
    settings, monkeypatch
) -> None:
    waiting = mails(3)
    write_down = writing_down.write_down

    def later(*args: object) -> None:
        OutboundMail.objects.filter(pk=waiting[1].pk).update(attempts=9, held_by="another")
        write_down(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(writing_down, "write_down", later)
    with smtp_sink() as sink:
        use(settings, sink)
        outbound.deliver(waiting[0].pk)
    assert states() == ["sent"] * 3


@pytest.mark.django_db(transaction=True)
def test_where_the_database_is_away_all_are_written_down_once_it_is_back(
    settings, monkeypatch
) -> None:
    waiting = mails(3)
    faults = iter([OperationalError("away")] * 3)
    sent = sending.delivery.sent

    def away(*args: object) -> dict[str, object]:
        for fault in faults:
            raise fault
        return sent(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(sending.delivery, "sent", away)
    with smtp_sink() as sink:
        use(settings, sink)
        outbound.deliver(waiting[0].pk)
        assert len(sink.mails) == 3
    assert states() == ["sent"] * 3


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(
    "connection.vendor == 'sqlite' and connection.is_in_memory_db()", reason="one connection alone"
)
def test_two_workers_at_once_send_each_mail_once(settings) -> None:
    waiting, gate = mails(40), Barrier(2)

    def work() -> None:
        gate.wait()
        for mail in waiting:
            outbound.deliver(mail.pk)
        connection.close()

    with smtp_sink() as sink:
        use(settings, sink)
        threads = [Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seen = Counter(one[0].rcpt_tos[0] for one in sink.mails)
    assert (len(seen), set(seen.values())) == (40, {1})


def test_what_was_sent_is_written_down_while_the_next_takes_its_time() -> None:
    waiting = mails(3)
    me = holders.holder()
    soon = timezone.now() + timedelta(seconds=15)
    OutboundMail.objects.update(held_by=me, attempts=1, next_attempt_at=soon)
    rows = outbound.queued().filter(held_by=me)
    set_of = sending._Sending(rows, None, sent=[(mail, "") for mail in rows.order_by("pk")[:2]])
    assert set_of.write_late()
    assert (states(), set_of.sent) == (["sent", "sent", "queued"], [])
    assert not set_of.write_late()
    assert waiting[2].pk in rows.values_list("pk", flat=True)
