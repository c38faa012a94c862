"""Which task reads a mail, and what an admin makes due again."""

from datetime import timedelta

import pytest
from django.utils import timezone

from inbound.models import InboundMail
from inbound.queue import LARGE, requeue, task_for
from tests.support.mail import arrive, eml


@pytest.mark.parametrize(
    ("size", "is_slow", "task"),
    [
        (LARGE, False, "tasks.inbound.process"),
        (LARGE + 1, False, "tasks.inbound.process_large"),
        (1, True, "tasks.inbound.process_slow"),
        (LARGE + 1, True, "tasks.inbound.process_slow"),
    ],
)
def test_what_is_large_and_what_is_slow_to_read_have_queues_of_their_own(
    size: int, is_slow: bool, task: str
) -> None:
    assert task_for(size, is_slow=is_slow) == task


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("state", "error", "changed"),
    [
        ("received", "the database is away", 1),  # backs off after a fault
        ("received", "", 0),  # waits for its parent, and for nobody
        ("failed", "cannot be read", 1),
        ("quarantined", "", 1),
        ("ignored", "", 1),
        ("done", "", 0),
    ],
)
def test_what_is_run_again_is_due_at_once_and_what_is_done_stays_done(
    state: str, error: str, changed: int
) -> None:
    row = arrive(eml(message_id="a@x"))
    later = timezone.now() + timedelta(hours=1)
    rows = InboundMail.objects.filter(pk=row.pk)
    rows.update(state=state, error=error, next_attempt_at=later, attempts=3)
    assert requeue(rows) == changed
    row.refresh_from_db()
    assert (row.next_attempt_at < later) is bool(changed)
    assert row.state == ("done" if state == "done" else "received")
    assert row.attempts == (0 if changed and state != "received" else 3)
