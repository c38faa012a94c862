"""The doorbell while the broker is away."""

import pytest
from celery import current_app

from tasks import ring


@pytest.mark.django_db
def test_an_outage_of_the_broker_is_two_lines(
    settings, monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    settings.CAN_RING = True
    monkeypatch.setattr(ring, "SILENT_SECONDS", 0.0)
    monkeypatch.setattr(ring, "_silent_until", 0.0)
    monkeypatch.setattr(ring, "_away", False)

    def refuse(*args: object, **kwargs: object) -> None:
        raise ConnectionRefusedError

    with monkeypatch.context() as away:
        away.setattr(current_app, "send_task", refuse)
        for pk in range(3):
            ring._send("tasks.inbound.process", pk)
    monkeypatch.setattr(current_app, "send_task", lambda *args, **kwargs: None)
    for pk in range(3):
        ring._send("tasks.inbound.process", pk)
    assert caplog.messages == [
        "the broker does not answer (ConnectionRefusedError); the sweep will find what is due",
        "the broker answers again",
    ]
