"""The product's settings for processes in which some mail never comes to an end (tests.support.stuck), with
short leases."""

from datetime import timedelta

from tasks import watchdog
from tests.support.fast_settings import *  # noqa: F403
from tests.support.fast_settings import INSTALLED_APPS as _APPS  # type: ignore[attr-defined]

INSTALLED_APPS = [*_APPS, "tests.support.stuck.Stuck"]

SHORT = timedelta(seconds=3)
_watched, _limit = watchdog.watched, watchdog.limit
watchdog.MARGIN = timedelta(seconds=3)
watchdog.watched = lambda what, lease: _watched(what, SHORT)
watchdog.limit = lambda lease: _limit(SHORT)
