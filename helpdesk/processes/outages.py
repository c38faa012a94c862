"""Workers and beat while their broker is away: a line when it goes and one when it is back, and
they ask it each second.

Celery's own say each thing again at each try, with tracebacks: tens of kilobytes a second. The row
is the queue: what could not be rung for waits for the next sweep.
"""

import logging
import warnings
from typing import Any

from celery.beat import PersistentScheduler, SchedulingError
from celery.exceptions import CPendingDeprecationWarning
from celery.worker.consumer import Consumer as CelerysConsumer
from celery.worker.state import maybe_shutdown
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)

# Said at each loss of the connection, about a choice that settings.py has made.
warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)


class Outage:
    def __init__(self) -> None:
        self.is_told = False

    def began(self, error: object) -> None:
        if not self.is_told:
            # Its words name the server, which may be a URL with a password.
            log.warning(
                "the broker does not answer (%s); it is asked each second", type(error).__name__
            )
        self.is_told = True

    def ended(self) -> None:
        if self.is_told:
            log.warning("the broker answers again")
        self.is_told = False


def connect(connection: Any, outage: Outage, **how: Any) -> Any:
    """Waits for the broker, for ever; the connection."""
    connection.ensure_connection(
        lambda error, interval: outage.began(error),
        interval_start=1,
        interval_step=0,
        interval_max=1,
        **how,
    )
    outage.ended()
    return connection


class Consumer(CelerysConsumer):
    """A worker's end of the broker. It watches no other worker: nothing is shared with them but the
    rows."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._outage = Outage()
        super().__init__(*args, **{**options, "without_gossip": True, "without_mingle": True})

    def on_connection_error_before_connected(self, exc: Exception) -> None:
        self._outage.began(exc)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        self._outage.is_told = True  # Celery says it, in a line
        super().on_connection_error_after_connected(exc)

    def ensure_connected(self, conn: Any) -> Any:
        connect(conn, self._outage, callback=maybe_shutdown)
        self.first_connection_attempt = False
        return conn


class Scheduler(PersistentScheduler):
    """The beat. What could not be sent is not sent later: its next time comes."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._outage = Outage()
        super().__init__(*args, **options)

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except SchedulingError as error:
            cause = error.__context__
            faults: tuple[Any, ...] = (
                OperationalError,
                *self.connection.connection_errors,
                *self.connection.channel_errors,
            )
            if isinstance(cause, faults):
                self._outage.began(cause)
            else:
                log.error("%s", error, exc_info=cause)
        else:
            self._outage.ended()

    def _ensure_connected(self) -> Any:
        return connect(self.connection, self._outage)
