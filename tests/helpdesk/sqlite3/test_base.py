"""A connection to SQLite that waits for another one."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError

from helpdesk.settings.databases import database
from helpdesk.sqlite3.base import DatabaseWrapper


@pytest.fixture
def pair(
    tmp_path: Path, django_db_blocker: Any
) -> Iterator[tuple[DatabaseWrapper, DatabaseWrapper]]:
    """Two connections of the product's to one file, which has a table."""
    made = []
    for _ in range(2):
        config = database(f"sqlite:///{tmp_path}/db.sqlite3")
        config |= {
            "TIME_ZONE": None,
            "AUTOCOMMIT": True,
            "CONN_MAX_AGE": None,
            "CONN_HEALTH_CHECKS": False,
            "ATOMIC_REQUESTS": False,
        }
        made.append(DatabaseWrapper(config, alias="default"))
        made[-1].inc_thread_sharing()
    with django_db_blocker.unblock():  # it is none of Django's
        run(made[0], "CREATE TABLE numbers (n)")
        yield made[0], made[1]
    for connection in made:
        connection.close()


def run(connection: DatabaseWrapper, statement: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        return list(cursor.execute(statement))


@pytest.mark.parametrize("statement", ["BEGIN IMMEDIATE", "INSERT INTO numbers VALUES (2)"])
def test_who_wants_to_write_waits_for_who_writes(
    pair: tuple[DatabaseWrapper, DatabaseWrapper], statement: str
) -> None:
    first, second = pair
    run(second, "SELECT 1")
    run(first, "BEGIN IMMEDIATE")
    run(first, "INSERT INTO numbers VALUES (1)")
    waiting = threading.Thread(target=run, args=(second, statement))
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive()
    assert run(first, "SELECT count(*) FROM numbers") == [(1,)]
    run(first, "COMMIT")
    waiting.join(10)
    assert not waiting.is_alive()
    assert run(second, "SELECT min(n) FROM numbers") == [(1,)]


def test_it_does_not_wait_for_ever(pair: tuple[DatabaseWrapper, DatabaseWrapper]) -> None:
    first, second = pair
    run(second, "SELECT 1")
    second.patience = 0.1
    run(first, "BEGIN IMMEDIATE")
    with pytest.raises(OperationalError, match="database is locked"):
        run(second, "INSERT INTO numbers VALUES (2)")
    run(first, "COMMIT")
    assert run(second, "SELECT count(*) FROM numbers") == [(0,)]


def test_what_waiting_does_not_mend_is_said_at_once(
    pair: tuple[DatabaseWrapper, DatabaseWrapper],
) -> None:
    first, second = pair
    run(second, "BEGIN")
    run(second, "SELECT * FROM numbers")
    run(first, "INSERT INTO numbers VALUES (1)")
    second.patience = 1000.0  # what it has read is not what is there
    with pytest.raises(OperationalError, match="database is locked"):
        run(second, "INSERT INTO numbers VALUES (2)")
