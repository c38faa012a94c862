"""Makes comments findable, with their ticket's subject."""

from collections.abc import Sequence
from typing import Any

from django.db import connection

from helpdesk.models import Comment, Ticket
from helpdesk.search.words import indexed

TABLE = "helpdesk_search"
BATCH = 2000


def index(comments: Sequence[tuple[Comment, Ticket]]) -> None:
    """Makes comments findable, each with its ticket's subject; in the caller's transaction."""
    rows = [
        _row(comment.pk, ticket.pk, ticket.subject, comment.text) for comment, ticket in comments
    ]
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            cursor.executemany(_insert(), rows)
            return
        cursor.execute(
            f"INSERT INTO {TABLE} (comment_id, ticket_id, words) "
            "SELECT comment, ticket, words::tsvector "
            "FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS x(comment, ticket, words)",
            [list(column) for column in zip(*rows, strict=True)],
        )


def reindex(ticket: Ticket) -> None:
    """The ticket is found by the subject that it has now."""
    found = list(ticket.comments.order_by("pk").values_list("pk", "text"))
    with connection.cursor() as cursor:
        cursor.executemany(_delete(), [(pk,) for pk, _ in found])
        cursor.executemany(
            _insert(), [_row(pk, ticket.pk, ticket.subject, text) for pk, text in found]
        )


def move(comment: Comment, ticket: Ticket) -> None:
    """The comment is found under another ticket from now on, or by other words."""
    with connection.cursor() as cursor:
        cursor.execute(_delete(), [comment.pk])
    index([(comment, ticket)])


def index_all() -> None:
    """The index is made anew, of all comments there are."""
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {TABLE}")
    rows = Comment.objects.order_by("pk").values_list("pk", "ticket", "ticket__subject", "text")
    last = 0
    while batch := list(rows.filter(pk__gt=last)[:BATCH]):
        _load([_row(*row) for row in batch])
        last = batch[-1][0]


def _load(rows: list[tuple[int, int, str]]) -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            copying: Any = cursor
            with copying.copy(f"COPY {TABLE} (comment_id, ticket_id, words) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            cursor.executemany(_insert(), rows)


def _row(comment: int, ticket: int, subject: str, text: str) -> tuple[int, int, str]:
    return comment, ticket, indexed(comment, f"{subject}\n{text}")


def _insert() -> str:
    if connection.vendor == "postgresql":
        return f"INSERT INTO {TABLE} (comment_id, ticket_id, words) VALUES (%s, %s, %s::tsvector)"
    return f"INSERT INTO {TABLE} (rowid, ticket_id, words) VALUES (%s, %s, %s)"


def _delete() -> str:
    column = "comment_id" if connection.vendor == "postgresql" else "rowid"
    return f"DELETE FROM {TABLE} WHERE {column} = %s"
