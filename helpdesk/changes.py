"""What is to be written, and how: at once, or gathered for a set of mails in one statement a table.

An action says what it writes with `insert`, `update` and `together`. By itself that is a statement
each, in the caller's transaction. Within `gathered` it waits until something is asked of the
database, or until the end: so whoever reads finds what was said before, and a set of mails that
asks nothing in between is written in as many statements as there are tables.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Model

from helpdesk import facts
from inbound.rows import insert_rows, update_rows

Row = TypeVar("Row", bound=Model)
AHEAD = 32  # numbers taken at once for rows of a set


class Changes:
    """What was said and is not written yet."""

    def __init__(self) -> None:
        self._rows: dict[tuple[type[Model], bool], list[Model]] = {}
        self._fields: dict[type[Model], dict[int, tuple[Model, set[str]]]] = {}
        self._together: dict[Callable[[Sequence[Any]], None], list[Any]] = {}
        self._numbers: dict[type[Model], list[int]] = {}
        self._is_writing = False

    def insert(self, row: Model, *, ignore_conflicts: bool) -> None:
        self._rows.setdefault((type(row), ignore_conflicts), []).append(row)

    def update(self, row: Model, names: set[str]) -> None:
        if row._state.adding:
            return  # it waits to be inserted, as it is then
        rows = self._fields.setdefault(type(row), {})
        _, before = rows.setdefault(row.pk, (row, set()))
        before |= names

    def together(self, write: Callable[[Sequence[Any]], None], item: Any) -> None:
        self._together.setdefault(write, []).append(item)

    def number(self, model: type[Model], ahead: int) -> int:
        free = self._numbers.setdefault(model, [])
        if not free:
            with self._writing():
                free += reversed(reserve(model, ahead))
        return free.pop()

    def write(self) -> None:
        """All of it, in one statement a table."""
        if self._is_writing:
            return
        rows, self._rows = self._rows, {}
        fields, self._fields = self._fields, {}
        together, self._together = self._together, {}
        with self._writing():
            for (_, ignore_conflicts), made in rows.items():
                insert_rows(made, ignore_conflicts=ignore_conflicts)
            for changed in fields.values():
                update_rows(list(changed.values()))
            for write, items in together.items():
                write(items)

    def before_others_ask(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        """A wrapper of the connection's statements."""
        self.write()
        return execute(sql, params, many, context)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        before, self._is_writing = self._is_writing, True
        try:
            yield
        finally:
            self._is_writing = before


_current: ContextVar[Changes | None] = ContextVar("changes", default=None)


@contextmanager
def gathered() -> Iterator[Changes]:
    """Inside a transaction: what is said is written in as few statements as it can be, at the
    latest at the end. Nothing is written where the end is an exception."""
    changes = Changes()
    token = _current.set(changes)
    try:
        with connection.execute_wrapper(changes.before_others_ask):
            yield changes
            changes.write()
    finally:
        _current.reset(token)


def are_gathered() -> bool:
    return _current.get() is not None


def insert(row: Row, *, ignore_conflicts: bool = False) -> Row:
    """Makes the row. Its number is there afterwards only if it had one before: see `number_for`."""
    changes = _current.get()
    if changes is not None:
        changes.insert(row, ignore_conflicts=ignore_conflicts)
    elif ignore_conflicts:
        type(row)._default_manager.bulk_create([row], ignore_conflicts=True)
    else:
        row.save(force_insert=True)
    facts.gained(row)
    return row


def insert_all(rows: Sequence[Row]) -> None:
    """The same for several of one table: one statement in any case."""
    changes = _current.get()
    if changes is None and rows:
        type(rows[0])._default_manager.bulk_create(rows)
    for row in rows:
        if changes is not None:
            changes.insert(row, ignore_conflicts=False)
        facts.gained(row)


def update(row: Model, **fields: Any) -> None:
    """The row has these values from now on, here and in the database; its other columns are left
    alone."""
    for name, value in fields.items():
        setattr(row, name, value)
    changes = _current.get()
    if changes is not None:
        changes.update(row, set(fields))
    elif fields:
        type(row)._default_manager.filter(pk=row.pk).update(**fields)


def together(write: Callable[[Sequence[Any]], None], item: Any) -> None:
    """Has `write` write the item, with others where there are some."""
    changes = _current.get()
    if changes is not None:
        changes.together(write, item)
    else:
        write([item])


def number_for(model: type[Model], *, ahead: int = AHEAD) -> int | None:
    """The number of a row that is to be made, where others will refer to it before it is; None
    where the database may as well give it. `ahead` is how many are taken at once: what a set does
    not need of them is never given to anything."""
    changes = _current.get()
    return None if changes is None else changes.number(model, ahead)


def reserve(model: type[Model], count: int) -> list[int]:
    """Numbers that nothing else will get."""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s::int)",
                [table, count],
            )
            return [int(number) for (number,) in cursor.fetchall()]
        bump = "UPDATE sqlite_sequence SET seq = seq + %s WHERE name = %s RETURNING seq"
        cursor.execute(bump, [count, table])
        last = cursor.fetchone()
        if last is None:
            cursor.execute(
                "INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [table, count]
            )
            last = (count,)
        return list(range(int(last[0]) - count + 1, int(last[0]) + 1))
