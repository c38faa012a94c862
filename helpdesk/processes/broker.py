"""The broker of `serve`: kombu's memory transport, but a put wakes the consumer instead of it
polling."""

import threading
from collections import defaultdict
from queue import Empty
from typing import Any, cast
from weakref import WeakSet

from kombu.transport import TRANSPORT_ALIASES, memory, virtual

_lock = threading.RLock()
_listeners: "defaultdict[str, WeakSet[Transport]]" = defaultdict(WeakSet)
_waiting: set[tuple[str, str]] = set()  # the tasks that nobody has taken yet, with their arguments


def install() -> None:
    """Makes memory:// mean this transport."""
    TRANSPORT_ALIASES["memory"] = "helpdesk.processes.broker:Transport"


def is_waiting(task: str, pk: int) -> bool:
    """Whether a message for that row waits in this process: another one would say the same."""
    return (task, f"[{pk}]") in _waiting


def survive_redis(**kwargs: Any) -> None:
    """A worker that has lost its Redis in the middle of a task would put the task back, or
    acknowledge it, through the connection that is gone, which raises and ends it (kombu's issue
    582). The row is the queue: a sweep rings for it."""
    from kombu.transport import redis  # slow to import for those who have none

    class QoS(redis.QoS):
        """What was received through a connection that is gone can't be acknowledged: it is
        delivered again, and is nothing to do by then."""

        def ack(self, delivery_tag: Any) -> None:
            if self.channel.connection is not None:
                super().ack(delivery_tag)

        def reject(self, delivery_tag: Any, requeue: bool = False) -> None:
            if self.channel.connection is not None:
                super().reject(delivery_tag, requeue=requeue)

    redis.Channel.do_restore = False
    redis.Channel.QoS = QoS


class Channel(memory.Channel):
    do_restore = True  # a channel that closes puts back what it did not acknowledge

    def exchange_declare(self, *args: Any, **kwargs: Any) -> None:
        with _lock:  # or two threads each make the exchange, and one loses its bindings
            super().exchange_declare(*args, **kwargs)

    def queue_bind(self, *args: Any, **kwargs: Any) -> None:
        with _lock:
            super().queue_bind(*args, **kwargs)

    def _queue_for(self, queue: str) -> Any:
        with _lock:
            return super()._queue_for(queue)

    def _new_queue(self, queue: str, **kwargs: Any) -> None:
        self._queue_for(queue)

    def basic_consume(
        self, queue: str, no_ack: bool, callback: Any, consumer_tag: str | None, **kwargs: Any
    ) -> str:
        with _lock:
            _listeners[queue].add(cast("Transport", self.connection))
        return super().basic_consume(queue, no_ack, callback, consumer_tag, **kwargs)

    def _put(self, queue: str, message: dict[str, Any], **kwargs: Any) -> None:
        with _lock:
            _waiting.add(_says(message))
            super()._put(queue, message, **kwargs)
            for transport in _listeners[queue]:
                transport.wake()

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        message: dict[str, Any] = super()._get(queue)
        _waiting.discard(_says(message))  # from here on its row may be read: a new one counts
        return message

    def close(self) -> None:
        virtual.Channel.close(self)  # memory.Channel.close() would empty the queues that all share


def _says(message: dict[str, Any]) -> tuple[str, str]:
    headers = message["headers"]
    return headers.get("task", ""), headers.get("argsrepr", "")


class Transport(memory.Transport):
    Channel = Channel

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        self._wake = threading.Event()
        self._stopped = False

    def wake(self, *, stop: bool = False) -> None:
        self._stopped = self._stopped or stop
        self._wake.set()

    def drain_events(self, connection: Any, timeout: float | None = None, **kwargs: Any) -> None:
        if self._stopped:  # Celery's loop drains once more after it was told to stop
            raise TimeoutError
        if self._deliver_one():
            return
        self._wake.wait(timeout)
        self._wake.clear()  # after the wait and before the next look, so that no wake-up is lost
        if self._stopped or not self._deliver_one():
            raise TimeoutError

    def _deliver_one(self) -> bool:
        # A flag, not a task run inside `except Empty`: every traceback of a task would begin with
        # it.
        assert self.cycle is not None
        try:
            self.cycle.get(self._deliver)
        except Empty:
            return False
        return True
