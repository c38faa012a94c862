"""How often something may happen: counted in the database, so that every process counts the same.

An attempt is written before it is counted: of many at once, no more than the limit get through.
What happens at each request (`count_up`) is counted in the cache, and in the database only where
the cache cannot.
"""

from datetime import timedelta

from django.core.cache import cache
from django.db.models import F
from django.utils import timezone

from helpdesk.models import Attempt, Counter
from inbound.network import (
    client_key as client_key,
)  # the one key for a client, wherever something is counted


class Throttled(Exception):
    """Too many. `retry_after` is in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("Too many attempts. Try again later.")
        self.retry_after = retry_after


def take(key: str, limit: int, window: timedelta) -> None:
    """Counts one more under `key`; Throttled where that is more than `limit` in `window`.

    Call it outside a transaction that may be rolled back.
    """
    count(key)
    check(key, limit + 1, window)


def check(key: str, limit: int, window: timedelta) -> None:
    """Throttled where there were `limit` or more in `window`; counts nothing."""
    since = timezone.now() - window
    seen = list(
        Attempt.objects.filter(key=key[:300], at__gt=since)
        .order_by("-at")
        .values_list("at", flat=True)[:limit]
    )
    if len(seen) >= limit:
        raise Throttled(max(1, int((seen[-1] + window - timezone.now()).total_seconds()) + 1))


def count(key: str) -> int:
    """Counts one more; its id for `uncount`."""
    return Attempt.objects.create(key=key[:300]).pk


def uncount(attempt: int) -> None:
    """It was none after all."""
    Attempt.objects.filter(pk=attempt).delete()


def count_up(key: str, *, seconds: int) -> int:
    """Counts one more under `key`, which is counted for `seconds`; how many that makes.

    Where the cache goes away or comes back in between, each of the two counts from the beginning:
    no more than twice the limit get through, once. Call it outside a transaction that may be rolled
    back.
    """
    cache.add(key, 0, timeout=seconds)
    try:
        return int(cache.incr(key))
    except ValueError:  # the cache is away, or threw the key out in between
        return _count_up_in_the_database(key[:300], seconds)


def _count_up_in_the_database(key: str, seconds: int) -> int:
    expires_at = timezone.now() + timedelta(seconds=seconds)
    Counter.objects.bulk_create([Counter(key=key, expires_at=expires_at)], ignore_conflicts=True)
    Counter.objects.filter(key=key).update(count=F("count") + 1)
    return Counter.objects.values_list("count", flat=True).get(key=key)
