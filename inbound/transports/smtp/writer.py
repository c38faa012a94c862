"""Group commit: messages that wait at the same moment share one transaction and one fsync."""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.db import InterfaceError, OperationalError, connection

from inbound.connections import rest_connection
from inbound.store import TEMPORARY, Arrival, accept_many

log = logging.getLogger(__name__)

MAX_ROWS = 50
MAX_BYTES = 8_000_000

Store = Callable[[Sequence[Arrival]], list[list[int]]]


@dataclass(slots=True)
class _Waiting:
    arrival: Arrival
    loop: asyncio.AbstractEventLoop
    answer: "asyncio.Future[list[int]]"


class Writer:
    """A thread that stores what connections hand it. While it commits one group, the next one
    gathers."""

    def __init__(self, store: Store = accept_many) -> None:
        self._store = store
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="mail-writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stores what waits, then ends."""
        self._waiting.put(None)
        self._thread.join(30)

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    async def store(self, arrival: Arrival) -> list[int]:
        """The rows' ids, after the commit; raises what storing raised."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[int]] = loop.create_future()
        self._waiting.put(_Waiting(arrival, loop, answer))
        return await answer

    def _run(self) -> None:
        held: _Waiting | None = None
        while (first := held or self._waiting.get()) is not None:
            group, held, stop = self._gather(first)
            self._commit(group)
            if stop:
                break
        connection.close()

    def _gather(self, first: _Waiting) -> tuple[list[_Waiting], _Waiting | None, bool]:
        """What waits now, up to the limits; the one that did not fit; whether the end has come."""
        group, size = [first], len(first.arrival.raw)
        while len(group) < MAX_ROWS:
            try:
                item = self._waiting.get_nowait()
            except queue.Empty:
                break
            if item is None:
                return group, None, True
            size += len(item.arrival.raw)
            if size > MAX_BYTES:
                return group, item, False
            group.append(item)
        return group, None, False

    def _commit(self, group: list[_Waiting]) -> None:
        try:
            results = self._store([item.arrival for item in group])
        except Exception as error:  # whatever it is, it goes to whoever waits for the answer
            if len(group) == 1:
                if isinstance(error, TEMPORARY):
                    # after a restart of the database the next one gets a fresh connection
                    connection.close()
                _answer(group, [error])
                return
            if isinstance(error, OperationalError | InterfaceError) and _is_away():
                # Trying each alone would keep them all waiting for the same, one after the other.
                _answer(group, [error] * len(group))
                return
            # One bad row must not refuse the other forty-nine: each is tried alone.
            log.warning(
                "a group of %d could not be stored (%s); trying each alone",
                len(group),
                type(error).__name__,
            )
            if isinstance(error, TEMPORARY):
                connection.close()
            for item in group:
                self._commit([item])
            return
        finally:
            rest_connection()
        _answer(group, results)


def _answer(group: Sequence[_Waiting], results: Sequence[list[int] | Exception]) -> None:
    """All of a group at once: the loop is waked once for it."""
    group[0].loop.call_soon_threadsafe(_settle, group, results)


def _settle(group: Sequence[_Waiting], results: Sequence[list[int] | Exception]) -> None:
    for item, result in zip(group, results, strict=True):
        if item.answer.done():
            continue  # the connection is gone; the mail is stored all the same
        if isinstance(result, Exception):
            item.answer.set_exception(result)
        else:
            item.answer.set_result(result)


def _is_away() -> bool:
    """Whether it is the database that fails, and not one of the rows."""
    connection.close()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except TEMPORARY:
        return True
    return False
