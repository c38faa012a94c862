"""The database's connections of threads that live long."""

import threading
from typing import Any

from django.conf import settings
from django.db import close_old_connections, connection
from django.db.backends.signals import connection_created

PREPARED_AFTER = 5  # times that a connection was asked the same

_here = threading.local()


def rest_connection() -> None:
    """For a long-lived thread between two pieces of work: PostgreSQL's connection goes back to the
    pool, a broken one is closed, and SQLite's stays open (closing the last one writes its whole log
    back). The next one prepares its statements: such a thread asks the same again and again."""
    _here.repeats_itself = True
    if connection.vendor == "sqlite":
        connection.close_at = None
    close_old_connections()


def prepare(connection: Any, **kwargs: Any) -> None:
    """Tells a connection of PostgreSQL, as it comes from the pool, whether to prepare statements.

    Pages do not: a prepared statement soon has one plan for whatever it is asked with, and what is
    good for most tickets goes through all of them where somebody looks for a few.
    """
    if connection.vendor == "postgresql":
        repeats = getattr(_here, "repeats_itself", False) and settings.DATABASE_PREPARE
        connection.connection.prepare_threshold = PREPARED_AFTER if repeats else None


def connect() -> None:
    connection_created.connect(prepare)
