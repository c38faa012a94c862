"""What health says about rows whose workers do not come back, and when an outgoing one is given up."""

import re
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core.cache import caches

from helpdesk.models import OutboundMail, Person
from inbound.models import InboundMail
from tasks import watchdog
from tasks.outbound import deliver
from tests.support.mail import arrive, eml, receive
from tests.support.services import wait_for

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_seen_yet() -> Iterator[None]:
    caches[watchdog.SIGNS].delete(watchdog.SEEN)
    yield
    caches[watchdog.SIGNS].delete(watchdog.SEEN)


def test_a_row_that_is_held_past_its_lease_is_named_until_a_while_after_it_is_done(
    monkeypatch, client
) -> None:
    monkeypatch.setattr(watchdog, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(watchdog, "_watcher", None)
    monkeypatch.setattr(watchdog, "SEEN_SECONDS", 1.0)
    said: list[object] = []
    client.force_login(Person.objects.create_superuser("root@example.com", "x"))

    @watchdog.watched("inbound mail", timedelta(seconds=0.5))
    def work(pk: int) -> None:
        assert watchdog.overdue() == []
        wait_for(watchdog.seen, 5)
        assert [held.name for held in watchdog.overdue()] == ["inbound mail 17"]
        assert watchdog.overdue(timedelta(minutes=1)) == []
        said.append(client.get("/api/health/").json())

    work(17)
    assert watchdog.overdue() == []
    (answer,) = said
    (name,) = answer["stuck"]  # type: ignore[index]
    assert re.fullmatch(r"inbound mail 17 for \d s", name)
    assert "stuck" in answer["problems"]  # type: ignore[index]
    time.sleep(1.1)
    assert client.get("/api/health/").json()["stuck"] == []


def test_rows_that_ended_their_workers_again_and_again_are_named(client) -> None:
    outbound, inbound = receive(eml("y", message_id="b@x")), arrive(eml("x", message_id="a@x"))
    sent = OutboundMail.objects.get(ticket=outbound.ticket_number)
    assert client.get("/api/health/").json()["stuck"] == 0
    InboundMail.objects.filter(pk=inbound.pk).update(attempts=3)
    OutboundMail.objects.filter(pk=sent.pk).update(deaths=3)
    assert client.get("/api/health/").json()["stuck"] == 2
    client.force_login(Person.objects.create_superuser("root@example.com", "x"))
    assert client.get("/api/health/").json()["stuck"] == [
        f"inbound mail {inbound.pk}: 2 workers did not come back from it",
        f"outgoing mail {sent.pk}: 3 workers did not come back from it",
    ]
    OutboundMail.objects.update(deaths=0)
    assert len(client.get("/api/health/").json()["stuck"]) == 1  # it was tried, and they came back


def test_an_outgoing_mail_that_ends_its_workers_is_given_up() -> None:
    receive(eml("x", message_id="a@x"))
    mail = OutboundMail.objects.get()
    OutboundMail.objects.update(deaths=5)
    deliver(mail.pk)
    mail.refresh_from_db()
    assert (mail.state, mail.error) == ("failed", "the worker died each time it was sent")
    assert mail.ticket is not None
    assert mail.ticket.events.filter(kind="mail-failed").exists()
