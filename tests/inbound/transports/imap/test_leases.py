"""Who watches an IMAP account: the lease, by the database's clock."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, connections
from django.utils import timezone

from inbound.models import ImapLease, Mailbox
from inbound.transports.imap import leases
from inbound.transports.imap.leases import Lease, Lost, acquire, held, release
from tests.support.services import wait_for

pytestmark = pytest.mark.django_db(transaction=True)
NAME = "cleo@imap.example.com:993/INBOX"


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(leases, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(leases, "PROLONG_SECONDS", 0.05)
    yield
    prolongs_nothing_more()
    connections.close_all()


def prolongs_nothing_more() -> None:
    """As if the process had been killed: not even what its thread was about to write comes."""
    with leases._lock:
        leases._held.clear()
        leases._none_left.set()
    wait_for(lambda: leases._keeper is None, 5)


def taken() -> Lease:
    found = acquire(NAME, threading.Event())
    assert found
    return found


def waiting() -> tuple[threading.Thread, list[Lease | None], threading.Event]:
    """Somebody who wants it, what they got, and what ends their waiting."""
    got: list[Lease | None] = []
    stop = threading.Event()

    def run() -> None:
        got.append(acquire(NAME, stop))
        connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, got, stop


def test_one_has_it_and_the_next_when_it_is_released() -> None:
    first = taken()
    assert held()[NAME].token == first.token
    thread, got, _ = waiting()
    time.sleep(0.2)
    assert not got
    release(first)
    thread.join(5)
    (second,) = got
    assert second is not None
    assert held([NAME])[NAME].token == second.token != first.token
    release(first)  # not its own any more
    assert held()[NAME].token == second.token
    release(second)
    assert held() == {}


def test_who_waits_is_told_to_stop() -> None:
    first = taken()
    thread, got, stop = waiting()
    stop.set()
    thread.join(5)
    assert got == [None]
    release(first)


def test_it_lasts_while_its_process_lives_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LASTS", timedelta(seconds=1))
    first = taken()
    thread, got, _ = waiting()
    time.sleep(1.5)
    assert not got
    prolongs_nothing_more()
    thread.join(5)
    (second,) = got
    assert second
    with pytest.raises(Lost), first.fence():
        raise AssertionError("nothing is written")
    assert first.is_lost
    with pytest.raises(Lost):
        first.confirm()
    with second.fence():
        second.confirm()
    release(second)


def test_one_that_is_late_and_was_not_replaced_goes_on() -> None:
    first = taken()
    ImapLease.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with first.fence():
        pass
    first.confirm()
    assert held()[NAME].token == first.token
    release(first)


def test_whoever_takes_it_over_waits_for_what_is_being_written() -> None:
    first = taken()
    prolongs_nothing_more()
    with first.fence():
        ImapLease.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        thread, got, _ = waiting()
        time.sleep(0.3)
        assert not got
    thread.join(5)
    (second,) = got
    assert second
    release(second)


@pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite lets one write, and ends nobody's transaction"
)
def test_one_that_stalls_while_it_writes_holds_up_nobody_for_longer_than_a_lease(
    monkeypatch,
) -> None:
    monkeypatch.setattr(leases, "LASTS", timedelta(seconds=1))
    first = taken()
    thread, got, _ = waiting()

    def stall_and_write() -> None:
        with first.fence():
            leases._held.clear()
            thread.join(5)
            Mailbox.objects.create(address="late@example.com")

    with pytest.raises(DatabaseError):
        stall_and_write()
    connections.close_all()
    (second,) = got
    assert second
    release(second)
    assert not Mailbox.objects.filter(address="late@example.com").exists()


def test_one_that_idles_is_told_that_it_was_replaced() -> None:
    first = taken()
    ImapLease.objects.update(token="another")
    wait_for(lambda: first.is_lost, 5)
    ImapLease.objects.update(token="")
    release(first)


def test_the_processes_own_clock_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        timezone,
        "now",
        lambda: timezone.datetime(1999, 1, 1, tzinfo=timezone.get_fixed_timezone(0)),
    )
    first = taken()
    thread, got, stop = waiting()
    time.sleep(0.2)
    assert not got
    monkeypatch.undo()
    stop.set()
    thread.join(5)
    release(first)
