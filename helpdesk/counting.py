"""Counts that cost the same however many there are."""

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet


def up_to(cap: int, found: Sequence[QuerySet[Any, Any]]) -> list[int]:
    """How many rows each query finds, `cap` where there are more: all in one statement."""
    parts: list[str] = []
    parameters: list[Any] = []
    for rows in found:
        try:
            statement, given = rows.order_by().values("pk")[:cap].query.sql_with_params()
        except EmptyResultSet:
            parts.append("0")
            continue
        parts.append(f"(SELECT count(*) FROM ({statement}) capped)")
        parameters += given
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(parts)}", parameters)
        return list(cursor.fetchone())
