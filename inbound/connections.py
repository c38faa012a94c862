"""The database's connections of threads that live long."""

from django.db import close_old_connections, connection


def rest_connection() -> None:
    """For a long-lived thread between two pieces of work: PostgreSQL's connection goes back to the
    pool, a broken one is closed, and SQLite's stays open (closing the last one writes its whole log
    back)."""
    if connection.vendor == "sqlite":
        connection.close_at = None
    close_old_connections()
