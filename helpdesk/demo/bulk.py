"""Rows by the million: the database's own way of taking many, with its indexes made afterwards."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.core.management.color import no_style
from django.db import connection, transaction
from django.db.models import Field, Model

Row = tuple[Any, ...]


class Table:
    """The rows of a model that are to be written: each says what it names in `varying`, in that
    order; all else is as in `example`. Text has no characters that COPY would read otherwise."""

    def __init__(self, example: Model, varying: str) -> None:
        fields = [f for f in example._meta.concrete_fields if not f.generated]
        by_name = {field.attname: field for field in fields}
        self.model = type(example)
        self.name = example._meta.db_table
        self.columns = [str(by_name[name].column) for name in varying.split()]
        self.rows: list[Row] = []
        self.add = self.rows.append
        self.constants = {
            str(field.column): _literal(_as_stored(field, example))
            for field in fields
            if field.column not in self.columns and not field.primary_key
        }

    def write(self) -> None:
        """Writes the rows that were added, and forgets them."""
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                columns = ", ".join(f'"{name}"' for name in self.columns)
                with cursor.copy(f"COPY {self.name} ({columns}) FROM STDIN") as copy:  # type: ignore[attr-defined]
                    for row in self.rows:
                        copy.write_row(row)
            else:
                columns = ", ".join(f'"{name}"' for name in [*self.columns, *self.constants])
                values = ", ".join(["?"] * len(self.columns) + [*self.constants.values()])
                raw: Any = cursor.cursor
                # Django would look through each row for its placeholders.
                raw.connection.executemany(
                    f"INSERT INTO {self.name} ({columns}) VALUES ({values})", self.rows
                )
        self.rows.clear()


def _as_stored(field: "Field[Any, Any]", example: Model) -> Any:
    value = field.pre_save(example, add=False)
    if field.get_internal_type() == "JSONField":
        return json.dumps(value)
    return field.get_db_prep_save(value, connection)


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool | int):
        return str(value).lower()
    return "'" + str(value).replace("'", "''") + "'"


@contextmanager
def loading(tables: Sequence[Table], *more: str) -> Iterator[None]:
    """One transaction, in which the tables, and `more` by their names, have neither indexes nor
    rules between them; what their columns always hold is set meanwhile. The statistics are new
    afterwards."""
    names = [table.name for table in tables] + list(more)
    is_postgres = connection.vendor == "postgresql"
    with _quick_journal(), transaction.atomic(), connection.cursor() as cursor:
        lay_down, take_up = _postgres_rules(names) if is_postgres else _sqlite_indexes(names)
        for statement in lay_down:
            cursor.execute(statement)
        if is_postgres:
            cursor.execute("SET LOCAL maintenance_work_mem = '512MB'")
            _defaults(tables, "SET DEFAULT {}")
        yield
        if is_postgres:
            _defaults(tables, "DROP DEFAULT")
        for statement in take_up:
            cursor.execute(statement)
        models = [table.model for table in tables]
        for statement in connection.ops.sequence_reset_sql(no_style(), models):
            cursor.execute(statement)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if is_postgres else "ANALYZE")


@contextmanager
def _quick_journal() -> Iterator[None]:
    """SQLite keeps what it changes, instead of what it adds, beside the file until the commit: the
    rows are new, so nearly everything is written once."""
    if connection.vendor == "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode = DELETE")
        cursor.execute("PRAGMA foreign_keys = OFF")
        cursor.execute("PRAGMA cache_size = -1000000")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA foreign_keys = ON")
        connection.close()  # the next one begins with the settings' own PRAGMAs


def _defaults(tables: Sequence[Table], what: str) -> None:
    with connection.cursor() as cursor:
        for table in tables:
            for column, value in table.constants.items():
                cursor.execute(f'ALTER TABLE {table.name} ALTER "{column}" {what.format(value)}')


def _postgres_rules(names: list[str]) -> tuple[list[str], list[str]]:
    """What takes away the tables' indexes, foreign keys and unique constraints, and makes them
    again."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conrelid::regclass::text = ANY(%s) AND contype IN ('f', 'u') ORDER BY contype",
            [names],
        )
        constraints = cursor.fetchall()
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY(%s)"
            " AND schemaname = current_schema() AND indexname NOT IN"
            " (SELECT conname FROM pg_constraint WHERE contype IN ('p', 'u'))",
            [names],
        )
        indexes = cursor.fetchall()
    away = [f'ALTER TABLE {table} DROP CONSTRAINT "{name}"' for table, name, _ in constraints]
    away += [f'DROP INDEX "{name}"' for name, _ in indexes]
    again = [definition for _, definition in indexes]
    again += [
        f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}'
        for table, name, definition in reversed(constraints)
    ]
    return away, again


def _sqlite_indexes(names: list[str]) -> tuple[list[str], list[str]]:
    """As for PostgreSQL; what a table's own definition holds stays."""
    with connection.cursor() as cursor:
        marks = ", ".join(["%s"] * len(names))
        cursor.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
            f" AND tbl_name IN ({marks})",
            names,
        )
        found = cursor.fetchall()
    return [f'DROP INDEX "{name}"' for name, _ in found], [sql for _, sql in found]
