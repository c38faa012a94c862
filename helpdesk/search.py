"""Full text over subjects and comments: PostgreSQL's and SQLite's FTS5 behind one function."""

import re
from collections.abc import Sequence

from django.db import connection

from helpdesk.models import Comment, Person, Ticket

MAX_HITS = 1000  # the newest; a word that is everywhere finds no more than these


def index_all(comments: Sequence[tuple[Comment, Ticket]]) -> None:
    """Makes comments findable, each with its ticket's subject; in the caller's transaction."""
    rows = [
        (comment.pk, ticket.pk, f"{ticket.subject}\n{comment.text}"[:100_000])
        for comment, ticket in comments
    ]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "INSERT INTO helpdesk_search (comment_id, ticket_id, words) "
                "SELECT comment, ticket, to_tsvector('simple', words) "
                "FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS x(comment, ticket, words)",
                [list(column) for column in zip(*rows, strict=True)],
            )
        else:
            cursor.executemany(
                "INSERT INTO helpdesk_search (rowid, ticket_id, words) VALUES (%s, %s, %s)", rows
            )


def reindex(ticket: Ticket) -> None:
    """The ticket is found by the subject that it has now."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "UPDATE helpdesk_search s SET words = to_tsvector('simple', left(%s || E'\\n' || "
                "c.text, 100000)) "
                "FROM helpdesk_comment c WHERE c.id = s.comment_id AND c.ticket_id = %s",
                [ticket.subject, ticket.pk],
            )
        else:
            cursor.execute(
                "UPDATE helpdesk_search SET words = (SELECT substr(%s || char(10) || c.text, 1, "
                "100000) "
                "FROM helpdesk_comment c WHERE c.id = helpdesk_search.rowid) "
                "WHERE rowid IN (SELECT id FROM helpdesk_comment WHERE ticket_id = %s)",
                [ticket.subject, ticket.pk],
            )


def move(comment: Comment, ticket: Ticket) -> None:
    """The comment is found under another ticket from now on."""
    column = "comment_id" if connection.vendor == "postgresql" else "rowid"
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM helpdesk_search WHERE {column} = %s", [comment.pk])
    index_all([(comment, ticket)])


def ticket_ids_of(person: Person, query: str) -> list[int]:
    """As `ticket_ids`, in what a customer may read: public comments of tickets that they take part
    in."""
    words = re.findall(r"\w+", query.lower())[:10]
    if not words:
        return []
    mine = (
        "JOIN helpdesk_comment c ON c.id = {} JOIN helpdesk_participant p ON p.ticket_id = "
        "c.ticket_id "
        "WHERE p.person_id = %s AND c.visibility = 'public' AND "
    )
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                f"SELECT c.ticket_id FROM helpdesk_search s {mine.format('s.comment_id')} "
                "s.words @@ to_tsquery('simple', %s) LIMIT %s",
                [person.pk, " & ".join(f"{word}:*" for word in words), MAX_HITS],
            )
        else:
            cursor.execute(
                f"SELECT c.ticket_id FROM helpdesk_search s {mine.format('s.rowid')} "
                "s.helpdesk_search MATCH %s LIMIT %s",
                [person.pk, " ".join(f'"{word}"*' for word in words), MAX_HITS],
            )
        return list(dict.fromkeys(int(row[0]) for row in cursor.fetchall()))


def ticket_ids(query: str) -> list[int]:
    """The tickets that have every word of `query` in one comment, the newest hits first. Words
    match by prefix."""
    words = re.findall(r"\w+", query.lower())[:10]
    if not words:
        return []
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT ticket_id FROM (SELECT ticket_id, comment_id FROM helpdesk_search "
                "WHERE words @@ to_tsquery('simple', %s) LIMIT %s) hits ORDER BY comment_id DESC",
                [" & ".join(f"{word}:*" for word in words), MAX_HITS],
            )
        else:
            cursor.execute(
                "SELECT ticket_id FROM helpdesk_search WHERE helpdesk_search MATCH %s ORDER BY "
                "rowid DESC LIMIT %s",
                [" ".join(f'"{word}"*' for word in words), MAX_HITS],
            )
        return list(dict.fromkeys(int(row[0]) for row in cursor.fetchall()))
