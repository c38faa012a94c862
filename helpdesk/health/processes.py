"""The processes of `serve` that died, and were started again."""

import time
from datetime import UTC, datetime

from django.core.cache import caches

from tasks.watchdog import SIGNS

ENDED = "ended"  # among the signs: when, and what became of it
NOTICE_SECONDS = 3600.0


def note(what: str) -> None:
    """One of them has died: `what` says which, and how."""
    caches[SIGNS].set(ENDED, [*_lately(), (time.time(), what)][-20:], NOTICE_SECONDS)


def ended() -> list[str]:
    """Those of the last hour."""
    return [
        f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC: {what}" for at, what in _lately()
    ]


def _lately() -> list[tuple[float, str]]:
    found: list[tuple[float, str]] = caches[SIGNS].get(ENDED) or []
    return [(at, what) for at, what in found if at > time.time() - NOTICE_SECONDS]
