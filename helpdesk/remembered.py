"""What is configured, read once in a moment instead of once a mail: policies, texts, teams, our addresses."""

import functools
import threading
import time
from collections.abc import Callable, Hashable
from typing import Any, ParamSpec, TypeVar

from django.conf import settings
from django.db import connection

P = ParamSpec("P")
T = TypeVar("T")
_lock = threading.Lock()
_kept: dict[Hashable, tuple[float, Any]] = {}
MOST = 1000


def remembered(read: Callable[P, T]) -> Callable[P, T]:
    """The function's value for CONFIG_SECONDS, for each of its (hashable) arguments: a change on the staff site
    takes that long to reach the workers. What it returns is shared: nobody may change it."""

    @functools.wraps(read)
    def answer(*args: P.args, **kwargs: P.kwargs) -> T:
        if not settings.CONFIG_SECONDS:
            return read(*args, **kwargs)
        key = (read.__module__, read.__qualname__, connection.settings_dict["NAME"], args, tuple(kwargs.items()))
        now = time.monotonic()
        found = _kept.get(key)
        if found is not None and found[0] > now:
            value: T = found[1]
            return value
        value = read(*args, **kwargs)
        with _lock:
            if len(_kept) > MOST:
                _kept.clear()
            _kept[key] = (now + settings.CONFIG_SECONDS, value)
        return value

    return answer
