"""Who prepares statements on PostgreSQL: threads that ask the same again and again, not pages."""

import threading
from typing import Any

import pytest
from django.db import connection

from inbound.connections import PREPARED_AFTER, rest_connection

pytestmark = [
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite prepares everything"),
    pytest.mark.django_db(transaction=True),
]


def threshold(*, rests: bool) -> Any:
    """That of a connection in a thread of its own, which rests between its pieces of work or not."""
    found: list[Any] = []

    def work() -> None:
        if rests:
            rest_connection()
        connection.ensure_connection()
        found.append(connection.connection.prepare_threshold)
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return found[0]


def test_a_long_lived_thread_prepares_and_a_page_does_not() -> None:
    assert threshold(rests=True) == PREPARED_AFTER
    assert threshold(rests=False) is None  # by the same connection, from the pool


def test_behind_a_pooler_nobody_prepares(settings: Any) -> None:
    settings.DATABASE_PREPARE = False
    assert threshold(rests=True) is None
