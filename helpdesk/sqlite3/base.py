"""Django's SQLite, in which a writer that waits for another looks often whether it is its turn.

SQLite itself looks again after up to a tenth of a second: processes that write one after the other
would sleep most of the time.
"""

import sqlite3
import time
from collections.abc import Callable
from typing import Any, TypeVar

from django.db.backends.sqlite3 import base

T = TypeVar("T")

# Seconds between two looks: at first, and when it has waited for long.
PAUSE, LONGEST_PAUSE = 0.0005, 0.005


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        connection.execute("PRAGMA busy_timeout=0")
        self.patience = float(conn_params.get("timeout", 5.0))
        return connection

    def create_cursor(self, name: str | None = None) -> Any:
        cursor = self.connection.cursor(factory=_Cursor)
        cursor.patience = self.patience
        return cursor

    def _commit(self) -> None:
        if self.connection is not None:
            with self.wrap_database_errors:
                _patiently(self.connection.commit, self.patience)


class _Cursor(base.SQLiteCursorWrapper):
    patience: float

    def execute(self, query: str, params: Any = None) -> Any:
        run = super().execute
        return _patiently(lambda: run(query, params), self.patience)

    def executemany(self, query: str, param_list: Any) -> Any:
        run, rows = super().executemany, list(param_list)
        return _patiently(lambda: run(query, rows), self.patience)


def _patiently(run: Callable[[], T], seconds: float) -> T:
    """What `run` returns, once no other connection is in its way; "database is locked" after so
    many seconds."""
    began = time.monotonic()
    while True:
        try:
            return run()
        except sqlite3.OperationalError as error:
            waited = time.monotonic() - began
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or waited > seconds:
                raise
        time.sleep(min(LONGEST_PAUSE, PAUSE + waited / 20))
