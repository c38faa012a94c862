"""How the beat finds the rows whose ring was lost, and rings for them again."""

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from inbound.store import TEMPORARY
from tasks.ring import ring

log = logging.getLogger(__name__)

LATE = timedelta(seconds=1)  # due for so long: its ring was lost
AT_ONCE = 200


def sweep(
    rows: "QuerySet[Any]",
    task: str | Callable[..., str],
    *,
    by: Sequence[str] = (),
    due: str = "next_attempt_at",
) -> int:
    """Rings for the rows that have been due for a moment, the oldest first; how many it rang for.

    `task` is the task's name, or says it from the columns that `by` names. A database that is away
    makes it none.
    """
    late = rows.filter(**{f"{due}__lt": timezone.now() - LATE}).order_by(due)
    try:
        found = list(late.values_list("pk", *by)[:AT_ONCE])
    except TEMPORARY as error:
        log.warning("cannot look for what is due: %s", type(error).__name__)
        return 0
    for pk, *seen in found:
        ring(task if isinstance(task, str) else task(*seen), pk)
    return len(found)
