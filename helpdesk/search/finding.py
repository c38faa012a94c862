"""Finds tickets by words, those with the newest hits first."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from django.db import connection

from helpdesk.models import Person
from helpdesk.search.words import (
    MAX_WORDS,
    SLICE_BITS,
    slice_mark,
    slice_of,
    words_of,
)

MAX_HITS = 1000  # the newest; a word that is everywhere finds no more than these
LOOKED_AT = 10_000  # of the comments that have the rarest word, how many of the newest
MUCH_MORE = 20  # times as frequent as the rarest: then the index is not asked for a word
WIDER = 4  # how many times more slices are asked next, where the newest did not suffice


def ticket_ids(query: str) -> list[int]:
    """The tickets that have every word of `query` in one comment, the newest hits first. Words
    match by prefix, whatever their case and accents."""
    words = words_of(query)[:MAX_WORDS]
    if not words or (newest := _newest_slice()) is None:
        return []
    leads = _rarest(words, newest)
    others = [word for word in words if word not in leads]
    found = islice(_with(leads, others, newest), LOOKED_AT)
    return list(dict.fromkeys(islice((ticket for ticket, fits in found if fits), MAX_HITS)))


def ticket_ids_of(person: Person, query: str) -> list[int]:
    """As `ticket_ids`, in what a customer may read: public comments of tickets that they take part
    in."""
    words = words_of(query)[:MAX_WORDS]
    if not words:
        return []
    key = _key()
    rows = _rows(
        "WITH mine AS MATERIALIZED (SELECT c.id FROM helpdesk_participant p"
        " JOIN helpdesk_comment c ON c.ticket_id = p.ticket_id"
        " WHERE p.person_id = %s AND c.visibility = 'public' ORDER BY c.id DESC LIMIT %s)"
        f" SELECT ticket_id FROM mine JOIN helpdesk_search s ON s.{key} = mine.id"
        f" WHERE {_has(words)} ORDER BY mine.id DESC LIMIT %s",
        [person.pk, LOOKED_AT, *words, MAX_HITS],
    )
    return list(dict.fromkeys(ticket for (ticket,) in rows))


def _with(leads: Sequence[str], others: Sequence[str], newest: int) -> Iterator[tuple[int, bool]]:
    """The tickets of the comments that have all of some words, the newest first, and whether these
    have the others too."""
    order, has, width = _order(), _has(others), 1
    while newest >= 0:
        slices = range(newest, max(-1, newest - width), -1)
        yield from _rows(
            f"SELECT ticket_id, {has} FROM helpdesk_search s WHERE {_match()}"
            f" ORDER BY {order} DESC LIMIT %s",
            [*others, _asked(leads, slices), LOOKED_AT if others else MAX_HITS],
        )
        newest, width = slices[-1] - 1, width * WIDER


def _rarest(words: Sequence[str], newest: int) -> list[str]:
    """The word that the fewest of the newest comments have, and those that are not much more
    frequent. The index is asked for these alone: of a word that is everywhere it would read through
    all that it has, to find the few where the others are."""
    if len(words) == 1:
        return list(words)
    slices = range(newest, max(-1, newest - 2), -1)
    one = f"SELECT count(*) FROM helpdesk_search WHERE {_match()}"
    counted = _rows(
        " UNION ALL ".join(f"SELECT {number}, ({one})" for number in range(len(words))),
        [_asked([word], slices) for word in words],
    )
    fewest = min(count for _, count in counted)
    return [words[number] for number, count in counted if count <= MUCH_MORE * (fewest + 1)]


def _newest_slice() -> int | None:
    newest = _rows(f"SELECT max({_key()}) FROM helpdesk_search", [])[0][0]
    return None if newest is None else slice_of(newest)


def _asked(words: Sequence[str], slices: range) -> str:
    """What either database's index is asked for: all of the words' prefixes, in some slices."""
    if connection.vendor == "postgresql":
        places = [[f"{slice_mark(number)}{word}:*" for number in slices] for word in words]
        return " & ".join(f"({' | '.join(each)})" for each in places)
    places = [[f'"{slice_mark(number)}{word}"*' for number in slices] for word in words]
    return " AND ".join(f"({' OR '.join(each)})" for each in places)


def _match() -> str:
    if connection.vendor == "postgresql":
        return "words @@ %s::tsquery"
    return "helpdesk_search MATCH %s"


def _has(words: Sequence[str]) -> str:
    """Whether a row has all of the words, by the row itself and no index."""
    if connection.vendor == "postgresql":
        mark = f"lpad(to_hex(s.comment_id >> {SLICE_BITS}), {len(slice_mark(0))}, '0')"
        return _all(f"s.words @@ ({mark} || %s || ':*')::tsquery", words)
    mark = f"printf('%%0{len(slice_mark(0))}x', s.rowid >> {SLICE_BITS})"
    return _all(f"instr(s.words, ' ' || {mark} || %s) > 0", words)


def _all(condition: str, words: Sequence[str]) -> str:
    return " AND ".join(condition for _ in words) or "1 = 1"


def _key() -> str:
    return "comment_id" if connection.vendor == "postgresql" else "rowid"


def _order() -> str:
    """FTS5 gives the newest first by itself. PostgreSQL must not: by the order of the numbers it
    would look at each row for the words, and not in the index of words."""
    return "comment_id + 0" if connection.vendor == "postgresql" else "rowid"


def _rows(statement: str, parameters: Sequence[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())
