"""What is configured, read once in a moment instead of once a mail: policies, texts, teams, our
addresses."""

import functools
import pickle
import threading
from collections.abc import Callable, Hashable
from typing import ParamSpec, TypeVar

from cachetools import TLRUCache, cached
from django.conf import settings
from django.db import connection

P = ParamSpec("P")
T = TypeVar("T")
MOST = 1000


def _until(key: Hashable, value: bytes, now: float) -> float:
    return now + float(settings.CONFIG_SECONDS)


# Packed: whoever asks gets rows of their own, which no other thread writes to.
_packed: TLRUCache[Hashable, bytes] = TLRUCache(MOST, ttu=_until)
_lock = threading.Lock()


def kept_for_a_moment(read: Callable[P, T]) -> Callable[P, T]:
    """The function's value for CONFIG_SECONDS, for each of its (hashable) arguments and each
    database: a change on the staff site takes that long to reach the workers."""

    def key(*args: P.args, **kwargs: P.kwargs) -> Hashable:
        database = connection.settings_dict["NAME"]
        return (read.__module__, read.__qualname__, database, args, tuple(kwargs.items()))

    @cached(_packed, key=key, lock=_lock)
    def packed(*args: P.args, **kwargs: P.kwargs) -> bytes:
        return pickle.dumps(read(*args, **kwargs), pickle.HIGHEST_PROTOCOL)

    @functools.wraps(read)
    def answer(*args: P.args, **kwargs: P.kwargs) -> T:
        if not settings.CONFIG_SECONDS:
            return read(*args, **kwargs)
        value: T = pickle.loads(packed(*args, **kwargs))  # noqa: S301  # packed here
        return value

    return answer
