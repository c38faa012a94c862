"""The cache that all processes share in Redis, and how it goes on while Redis is away.

Nothing in it has to survive. While it does not answer it is an empty cache that keeps nothing; what
must be counted all the same is counted in the database (`helpdesk.throttle.count_up`). After a
fault it is not asked again for a while: or each request would wait for a time-out of its own.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from django.core.cache.backends import redis
from django.utils import timezone

log = logging.getLogger(__name__)
T = TypeVar("T")

REST_SECONDS = 3.0  # after a fault
TIMEOUTS = {"socket_connect_timeout": 0.5, "socket_timeout": 0.5}  # seconds

_lock = threading.Lock()
_away = False
_asked_again_at = 0.0
_answers_since = timezone.now()


def is_away() -> bool:
    """Whether it did not answer this process when it was asked last."""
    return _away


def answers_since() -> datetime:
    """When it came back to this process; when the process began, where it was never away."""
    return _answers_since


class Client(redis.RedisCacheClient):
    """Django's, whose faults are an empty cache's answers."""

    _lib: Any  # the package redis, which is imported only where there is a Redis

    def add(self, key: Any, value: Any, timeout: Any) -> bool:
        return self._ask(partial(super().add, key, value, timeout), False)

    def get(self, key: Any, default: Any) -> Any:
        return self._ask(partial(super().get, key, default), default)

    def set(self, key: Any, value: Any, timeout: Any) -> None:
        self._ask(partial(super().set, key, value, timeout), None)

    def touch(self, key: Any, timeout: Any) -> bool:
        return self._ask(partial(super().touch, key, timeout), False)

    def delete(self, key: Any) -> bool:
        return self._ask(partial(super().delete, key), False)

    def get_many(self, keys: Any) -> Any:
        found: dict[Any, Any] = {}
        return self._ask(partial(super().get_many, keys), found)

    def has_key(self, key: Any) -> bool:
        return self._ask(partial(super().has_key, key), False)

    def incr(self, key: Any, delta: Any) -> int:
        """ValueError where there is nothing under that key, as there is while it is away."""
        found = self._ask(partial(super().incr, key, delta), None)
        if found is None:
            raise ValueError(f"Key '{key}' not found.")
        return int(found)

    def set_many(self, data: Any, timeout: Any) -> None:
        self._ask(partial(super().set_many, data, timeout), None)

    def delete_many(self, keys: Any) -> None:
        self._ask(partial(super().delete_many, keys), None)

    def clear(self) -> bool:
        return self._ask(super().clear, False)

    def _ask(self, work: Callable[[], T], otherwise: T) -> T:
        if _rests():
            return otherwise
        try:
            value = work()
        except (self._lib.RedisError, OSError) as error:
            _failed(error)
            return otherwise
        _answered()
        return value


class RedisCache(redis.RedisCache):
    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, {**params, "OPTIONS": {**TIMEOUTS, **params.get("OPTIONS", {})}})
        self._class = Client


def _rests() -> bool:
    """Of those who ask once it has rested, one is let through; the others go on without it."""
    global _asked_again_at
    if not _away:
        return False
    with _lock:
        if time.monotonic() < _asked_again_at:
            return True
        _asked_again_at = time.monotonic() + REST_SECONDS
        return False


def _failed(error: Exception) -> None:
    global _away, _asked_again_at
    with _lock:
        first, _away = not _away, True
        _asked_again_at = time.monotonic() + REST_SECONDS
    if first:
        # Its words name the server, which may be a URL with a password.
        log.warning(
            "the cache does not answer (%s); counting in the database meanwhile",
            type(error).__name__,
        )


def _answered() -> None:
    global _away, _answers_since
    if not _away:
        return
    with _lock:
        first, _away = _away, False
        _answers_since = timezone.now() if first else _answers_since
    if first:
        log.warning("the cache answers again")
