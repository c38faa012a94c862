"""Queries that are asked for every mail. Django makes a query's SQL each time, which takes longer than the database
needs to answer; here it is made once, and afterwards only the values change."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import QuerySet

_FIRST_DAY = datetime(1000, 1, 1, tzinfo=UTC)


class Prepared:
    """A `values_list` query, asked with text, whole numbers, moments, and lists of text.

    `make` builds the query set from such values; it is called once for each database and length of the lists, with
    values of its own, and so must not look at them. The answer is the rows as the database gives them.
    """

    def __init__(self, make: Callable[..., "QuerySet[Any, Any]"]) -> None:
        self._make = make
        self._made: dict[tuple[object, ...], tuple[str, list[Any]]] = {}

    def __call__(self, *values: Any) -> list[tuple[Any, ...]]:
        shape = (connection.vendor, *(len(value) if isinstance(value, list) else 0 for value in values))
        found = self._made.get(shape)
        if found is None:
            found = self._made[shape] = self._compiled(values)
        sql, places = found
        flat = _flat(values)
        with connection.cursor() as cursor:
            cursor.execute(sql, [flat[place.number] if isinstance(place, _Place) else place for place in places])
            return list(cursor.fetchall())

    def _compiled(self, values: tuple[Any, ...]) -> tuple[str, list[Any]]:
        count = 0
        marks: list[Any] = []
        for value in values:
            if isinstance(value, list):
                marks.append([f"\1mark {count + number}" for number in range(len(value))])
                count += len(value)
            else:
                marks.append(_mark(value, count))
                count += 1
        sql, params = self._make(*marks).query.sql_with_params()
        numbers = {mark: _Place(number) for number, mark in enumerate(_flat(tuple(marks)))}
        parts, places = sql.split("%s"), []
        text = parts[0]
        for param, part in zip(params, parts[1:], strict=True):
            if isinstance(param, str) and param not in numbers and re.fullmatch(r"[\w ]*", param):
                # A word of our own, such as a state, is written out: a partial index on it is of use only then.
                text += f"'{param}'{part}"
            else:
                text += f"%s{part}"
                places.append(numbers.get(param, param))
        return text, places


class _Place:
    def __init__(self, number: int) -> None:
        self.number = number


def _mark(value: Any, number: int) -> Any:
    if isinstance(value, datetime):
        return _FIRST_DAY + timedelta(days=number)
    return -1_000_000_007 - number if isinstance(value, int) else f"\1mark {number}"


def _flat(values: tuple[Any, ...]) -> list[Any]:
    flat: list[Any] = []
    for value in values:
        if isinstance(value, list):
            flat.extend(value)
        elif isinstance(value, datetime):
            flat.append(connection.ops.adapt_datetimefield_value(value))
        else:
            flat.append(value)
    return flat
