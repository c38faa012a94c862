"""Queries that are asked for every mail, whose SQL is made once.

Django makes a query's SQL each time, which takes longer than the database needs to answer: on
SQLite a query of three conditions takes 0.5 ms so, and 0.05 ms here (2,000 of them in a row). There
are a dozen of them; `python -m benchmarks.pipeline` has how long a mail takes in all. Only what is
asked for every mail is worth it: for a page Django's own way will do.

It is made with values that no query has by itself, marks, and where a mark stands in its parameters
the value goes afterwards. So a query whose values do not all arrive as they were given is a
TypeError, when it is asked for the first time, and never a wrong answer.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import Model, QuerySet
from django.db.models.query import get_related_populators

T = TypeVar("T")
Row = TypeVar("Row", bound=Model)
_FIRST_DAY = datetime(1000, 1, 1, tzinfo=UTC)


class _Statement:
    """A query, asked with text, whole numbers, moments, and lists of text or whole numbers.

    `make` builds the query set from such values; it is called once for each database and length of
    the lists, with values of its own, and so must not look at them. Addresses are looked up in
    lower case, as their field does it; a field that does anything else to a value is a TypeError.
    """

    def __init__(self, make: Callable[..., "QuerySet[Any, Any]"]) -> None:
        self._make = make
        self._made: dict[tuple[object, ...], _Compiled] = {}

    def _asked(self, values: tuple[Any, ...]) -> "tuple[_Compiled, list[tuple[Any, ...]]]":
        shape = (
            connection.vendor,
            *(len(value) if isinstance(value, list) else 0 for value in values),
        )
        found = self._made.get(shape)
        if found is None:
            found = self._made[shape] = self._compiled(values)
        flat = _flat(values)
        given = [place.of(flat) if isinstance(place, _Place) else place for place in found.places]
        with connection.cursor() as cursor:
            cursor.execute(found.sql, given)
            return found, list(cursor.fetchall())

    def _compiled(self, values: tuple[Any, ...]) -> "_Compiled":
        numbers = count()
        marks = [
            [_mark(one, next(numbers)) for one in value]
            if isinstance(value, list)
            else _mark(value, next(numbers))
            for value in values
        ]
        known: dict[Any, _Place] = {}
        for number, mark in enumerate(_flat(marks)):
            known[mark] = _Place(number)
            if isinstance(mark, str):
                known.setdefault(mark.lower(), _Place(number, in_lower_case=True))
        compiler = self._make(*marks).query.get_compiler(connection=connection)
        sql, params = compiler.as_sql()
        parts, places = sql.split("%s"), []
        text = parts[0]
        for param, part in zip(params, parts[1:], strict=True):
            if isinstance(param, str) and param not in known and re.fullmatch(r"[\w ]*", param):
                # A word of our own, such as a state, is written out: a partial index on it is of
                # use only then.
                text += f"'{param}'{part}"
            else:
                text += f"%s{part}"
                places.append(known.get(param, param))
        if {place.number for place in places if isinstance(place, _Place)} != set(
            range(next(numbers))
        ):
            raise TypeError("a value does not reach the database as it was given")
        return _Compiled(text, places, compiler)


class Prepared(_Statement):
    """A `values_list` query; the answer is the rows as the database gives them."""

    def __call__(self, *values: Any) -> list[tuple[Any, ...]]:
        return self._asked(values)[1]


class PreparedRows(_Statement, Generic[Row]):
    """A query for a model's rows, with those that `select_related` names; nothing that is
    annotated."""

    def __init__(self, make: Callable[..., "QuerySet[Row, Row]"]) -> None:
        super().__init__(make)

    def __call__(self, *values: Any) -> list[Row]:
        found, rows = self._asked(values)
        if found.shape is None:
            found.shape = _Shape.of(found.compiler)
        return found.shape.made_of(rows)


@dataclass(slots=True)
class _Compiled:
    sql: str
    places: list[Any]
    compiler: Any  # Django's, which knows what the columns are
    shape: "_Shape | None" = None


@dataclass(frozen=True, slots=True)
class _Shape:
    """How rows are made of columns: as django.db.models.query.ModelIterable does it, by what the
    compiler says."""

    model: type[Model]
    first: int
    names: list[str]
    converters: dict[int, Any]
    related: list[Any]
    compiler: Any

    @classmethod
    def of(cls, compiler: Any) -> "_Shape":
        columns, info = compiler.select, compiler.klass_info
        first, end = info["select_fields"][0], info["select_fields"][-1] + 1
        return cls(
            info["model"],
            first,
            [column[0].target.attname for column in columns[first:end]],
            compiler.get_converters([column[0] for column in columns]),
            get_related_populators(info, columns, connection.alias),  # type: ignore[call-arg]
            compiler,
        )

    def made_of(self, rows: Iterable[Sequence[Any]]) -> list[Any]:
        if self.converters:
            rows = self.compiler.apply_converters(rows, self.converters)
        end, made = self.first + len(self.names), []
        for values in rows:
            row = self.model.from_db(connection.alias, self.names, values[self.first : end])
            for populate in self.related:
                populate.populate(values, row)
            made.append(row)
        return made


def padded(values: Sequence[T]) -> list[T]:
    """The values, the last one repeated until there are 1, 2, 4, 8… of them: for a list in which
    that says the same, so that few statements serve all lengths."""
    length = 1 << (len(values) - 1).bit_length() if values else 0
    return [*values, *[values[-1]] * (length - len(values))] if values else []


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the SQL the value with that number goes."""

    number: int
    in_lower_case: bool = False

    def of(self, flat: list[Any]) -> Any:
        return flat[self.number].lower() if self.in_lower_case else flat[self.number]


def _mark(value: Any, number: int) -> Any:
    """What no query says by itself. Its capital letter shows what the field does to it."""
    if isinstance(value, datetime):
        return _FIRST_DAY + timedelta(days=number)
    return -1_000_000_007 - number if isinstance(value, int) else f"\1Mark {number}"


def _flat(values: Iterable[Any]) -> list[Any]:
    flat: list[Any] = []
    for value in values:
        if isinstance(value, list):
            flat.extend(value)
        elif isinstance(value, datetime):
            flat.append(connection.ops.adapt_datetimefield_value(value))
        else:
            flat.append(value)
    return flat
