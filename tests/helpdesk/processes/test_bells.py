"""How the processes of `serve` ring for one another."""

import json
import select
from collections.abc import Iterator

import pytest

from helpdesk.celery import app
from helpdesk.processes import broker
from helpdesk.processes.bells import Bell, Bells
from helpdesk.processes.serve import QUEUES
from tasks import ring

INTAKE, SENDING = "tasks.inbound.process", "tasks.outbound.deliver"


@pytest.fixture
def bells(monkeypatch) -> Iterator[Bells]:
    monkeypatch.setattr(ring, "_by", ring.by_broker)  # and as it was afterwards
    yield Bells(app, QUEUES)
    with app.connection_for_write() as connection:
        for queue in ("inbound", "large", "outbound"):
            connection.default_channel.queue_purge(queue)
    broker._waiting.clear()


def waiting(queue: str) -> list[int]:
    """The rows that somebody is called for in this process, in order; they are taken."""
    with app.connection_for_write() as connection:
        simple = connection.SimpleQueue(queue)
        found = []
        while simple.qsize():
            message = simple.get(block=False)
            message.ack()
            found.append(json.loads(message.body)[0][0])
        return found


def test_each_task_of_ours_is_rung_for_in_the_process_that_has_its_queue(bells: Bells) -> None:
    assert bells.process_of(INTAKE) == "intake"
    assert bells.process_of("tasks.inbound.process_slow") == "intake"
    assert bells.process_of(SENDING) == "sending"
    assert bells.process_of("tasks.codes.deliver") == "sending"
    assert {bells.process_of(name) for name in app.tasks if name.startswith("tasks.")} == {
        "intake",
        "sending",
    }


def test_what_is_rung_in_one_process_is_heard_in_the_other(bells: Bells) -> None:
    bells.install()
    ring._by(SENDING, 17)
    ring._by(SENDING, 18)
    assert [bells._bells["sending"].hear() for _ in range(2)] == [(SENDING, 17), (SENDING, 18)]


def test_a_process_rings_for_its_own_queues_in_its_broker_and_once_while_nobody_has_come(
    bells: Bells,
) -> None:
    bells.install("intake")
    for pk in (17, 18, 17):
        ring._by(INTAKE, pk)
    ring._by("tasks.inbound.process_large", 17)
    assert waiting("inbound") == [17, 18]
    assert waiting("large") == [17]
    ring._by(INTAKE, 17)  # it was read before, and is due again
    assert waiting("inbound") == [17]


def test_a_bell_that_is_full_holds_nobody_up_and_is_heard_to_its_end() -> None:
    bell = Bell()
    for pk in range(100_000):
        bell.ring(INTAKE, pk)
    heard = []
    while select.select([bell._near], [], [], 0)[0]:
        heard.append(bell.hear())
    assert heard == [(INTAKE, pk) for pk in range(len(heard))]
    assert len(heard) >= 50
    bell.ring(INTAKE, 1)
    assert bell.hear() == (INTAKE, 1)
