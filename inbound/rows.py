"""Rows of a model in one statement, for what is written by the hundred.

Django's own ways build the statement anew from expressions each time, which takes longer than the
database needs for it. Here a table's columns are looked at once; values go through the model's
fields as they always do.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import Field, Model

MOST_VALUES = 30_000  # in one statement: SQLite takes 32,766, PostgreSQL 65,535
ROWS_AT_ONCE = 25  # of mail that pours in: a text that was seen before is not parsed again


def insert_rows(rows: Sequence[Model], *, ignore_conflicts: bool = False) -> None:
    """Makes rows of one model. Those without a number are given one by the database, and do not
    know it afterwards. With `ignore_conflicts`, one that is there already is left as it is."""
    for numbered in (True, False):
        some = [row for row in rows if (row.pk is not None) is numbered]
        if not some:
            continue
        fields = _fields(type(some[0]), numbered)
        at_once = MOST_VALUES // len(fields)
        for start in range(0, len(some), at_once):
            _insert(fields, some[start : start + at_once], ignore_conflicts)
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias


def _insert(fields: "Sequence[Field[Any, Any]]", rows: Sequence[Model], ignoring: bool) -> None:
    quote = connection.ops.quote_name
    columns = ", ".join(quote(str(field.column)) for field in fields)
    marks = f"({', '.join(['%s'] * len(fields))})"
    values = [
        field.get_db_prep_save(field.pre_save(row, add=True), connection)
        for row in rows
        for field in fields
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {quote(rows[0]._meta.db_table)} ({columns}) "
            f"VALUES {', '.join([marks] * len(rows))}{' ON CONFLICT DO NOTHING' * ignoring}",
            values,
        )


def insert_values(model: type[Model], rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Stores `rows`, and returns their ids in the same order. A row maps columns' attributes
    (`mailbox_id`) to values; all rows name the same ones, and what they do not name has the model's
    default."""
    ids: list[int] = []
    for start in range(0, len(rows), ROWS_AT_ONCE):
        ids += _insert_values(model, rows[start : start + ROWS_AT_ONCE])
    return ids


def _insert_values(model: type[Model], rows: Sequence[Mapping[str, Any]]) -> list[int]:
    columns = _columns(model, rows)
    quote = connection.ops.quote_name
    places = f"({', '.join(['%s'] * len(columns))})"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {quote(model._meta.db_table)} ({', '.join(map(quote, columns))})"
            f" VALUES {', '.join([places] * len(rows))} RETURNING id",
            [value for row in zip(*columns.values(), strict=True) for value in row],
        )
        return [pk for (pk,) in cursor.fetchall()]


def _columns(model: type[Model], rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """What each column gets in each row, as the driver takes it. One that is NULL in all of them is
    left out."""
    columns: dict[str, list[Any]] = {}
    for field in model._meta.concrete_fields:
        if field.primary_key:
            continue
        if field.attname in rows[0]:
            values = [field.get_db_prep_save(row[field.attname], connection) for row in rows]
        else:
            values = [field.get_db_prep_save(field.get_default(), connection)] * len(rows)
        if any(value is not None for value in values):
            columns[str(field.column)] = values
    return columns


def update_rows(changed: Sequence[tuple[Model, set[str]]]) -> None:
    """Writes some fields of rows of one model that are there: a statement for each combination of
    fields."""
    alike: dict[tuple[str, ...], list[Model]] = {}
    for row, names in changed:
        alike.setdefault(tuple(sorted(names)), []).append(row)
    for alike_names, rows in alike.items():
        fields = [rows[0]._meta.get_field(name) for name in alike_names]
        at_once = MOST_VALUES // (len(fields) + 1)
        for start in range(0, len(rows), at_once):
            _update(fields, rows[start : start + at_once])


def _update(fields: Sequence[Any], rows: Sequence[Model]) -> None:
    key = rows[0]._meta.pk
    columns = [key, *fields]
    first = [_typed(field) for field in columns]
    others = f", ({', '.join(['%s'] * len(columns))})" * (len(rows) - 1)
    values = [
        field.get_db_prep_save(
            getattr(row, field.attname) if field is key else field.pre_save(row, add=False),
            connection,
        )
        for row in rows
        for field in columns
    ]
    quote = connection.ops.quote_name
    table, names = quote(rows[0]._meta.db_table), [quote(str(field.column)) for field in columns]
    # SQLite names the columns of VALUES itself.
    theirs = [f"v.column{number}" for number in range(1, len(columns) + 1)]
    sets = ", ".join(f"{mine} = {its}" for mine, its in zip(names[1:], theirs[1:], strict=True))
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} AS t SET {sets} FROM (VALUES ({', '.join(first)}){others}) AS v "
            f"WHERE t.{names[0]} = {theirs[0]}",
            values,
        )


def _typed(field: Any) -> str:
    """PostgreSQL could not tell what a null is. Without its length: a cast would cut what a column
    refuses."""
    if connection.vendor != "postgresql":
        return "%s"
    return f"CAST(%s AS {re.sub(r'[(].*[)]', '', str(field.db_type(connection)))})"


@cache
def _fields(model: type[Model], numbered: bool) -> "tuple[Field[Any, Any], ...]":
    """What a statement names: all columns but those that the database works out, and the number
    where it gives that."""
    return tuple(
        field
        for field in model._meta.concrete_fields
        if not field.generated and (numbered or not field.primary_key)
    )
