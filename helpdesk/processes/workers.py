"""A process of workers: a solo worker of Celery in a thread for each of its queues, and a beat for
what these have to do at times."""

import logging
import signal
import threading
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, cast

from celery import Celery
from celery.beat import Scheduler
from celery.worker import WorkController, state
from celery.worker.consumer import Consumer
from django.db import connections

from helpdesk.processes.alive import Watch
from helpdesk.processes.bells import Bells
from helpdesk.processes.broker import Transport

log = logging.getLogger(__name__)

START_SECONDS = 20.0
STOP_SECONDS = 20.0


def run(app: Celery, bells: Bells, name: str, ready: Callable[[], None]) -> int:
    """Works on the queues of the process with that name, until SIGTERM (0), or until a part of it
    dies or a worker does not come back from a row (1)."""
    end = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: end.set())
    queues = bells.queues[name]
    app.conf.beat_schedule = {
        entry: what
        for entry, what in app.conf.beat_schedule.items()
        if bells.process_of(what["task"]) == name
    }
    workers = Workers(app, queues)
    workers.start()
    hearing = threading.Thread(target=bells.hear, args=(name,), name="bell", daemon=True)
    hearing.start()
    parts = {"a worker or the beat": workers.is_alive, "the bell": hearing.is_alive}
    watch = Watch(parts, end.set)
    watch.start()
    ready()
    end.wait()
    watch.stop()
    if stuck := workers.stop(leave=watch.hanging):
        log.error("still running: %s", ", ".join(stuck))
    return int(bool(watch.died or stuck))


class _Consumer(Consumer):
    """Never reconnects: there is nothing to reconnect to, and a restarted consumer would take the
    queues of the worker built last. An error ends the worker, and with it the process."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.connection_errors = self.channel_errors = ()

    def wake(self, *, stop: bool = False) -> None:
        if (connection := self.connection) is not None:
            cast(Transport, connection.transport).wake(stop=stop)

    def apply_eta_task(self, task: Any) -> None:
        # Celery calls this in its timer's thread, and the solo pool would run the task there.
        self.call_soon(super().apply_eta_task, task)
        self.wake()


class Workers:
    """The threads."""

    def __init__(self, app: Celery, queues: Sequence[str]) -> None:
        self.app = app
        self.queues = queues
        self._threads: list[threading.Thread] = []
        self._workers: list[WorkController] = []
        self._stopping = threading.Event()

    def start(self) -> None:
        setattr(state, "should_stop", None)
        # One after the other: a worker reads its queues from a place that all of the app's share.
        for queue in self.queues:
            ready = threading.Event()
            thread = self._spawn(f"worker-{queue}", partial(self._work, queue, ready))
            deadline = time.monotonic() + START_SECONDS
            while not ready.wait(0.02):
                if not thread.is_alive() or time.monotonic() > deadline:
                    self.stop()
                    raise RuntimeError(f"the worker for {queue} did not start")
        self._spawn("beat", self._beat)

    def is_alive(self) -> bool:
        return all(thread.is_alive() for thread in self._threads)

    def stop(self, *, leave: Collection[threading.Thread] = ()) -> list[str]:
        """Lets each worker finish the task it is at; the names of those that still run after a
        while. It does not wait for those of `leave`."""
        self._stopping.set()
        setattr(state, "should_stop", 0)
        for worker in self._workers:
            if isinstance(consumer := getattr(worker, "consumer", None), _Consumer):
                consumer.wake(stop=True)
        deadline = time.monotonic() + STOP_SECONDS
        for thread in self._threads:
            if thread in leave:
                continue
            thread.join(max(0.0, deadline - time.monotonic()))
        return [thread.name for thread in self._threads if thread.is_alive()]

    def _spawn(self, name: str, body: Callable[[], None]) -> threading.Thread:
        def main() -> None:
            try:
                body()
            except Exception:
                log.exception("%s died", name)
            finally:
                connections.close_all()

        thread = threading.Thread(target=main, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def _work(self, queue: str, ready: threading.Event) -> None:
        worker = WorkController(
            app=self.app,
            hostname=f"{queue}@serve",
            queues=[queue],
            pool="solo",
            concurrency=1,
            consumer_cls=_Consumer,
            ready_callback=lambda consumer: ready.set(),
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            quiet=True,
        )
        self._workers.append(worker)
        worker.start()
        if not self._stopping.is_set():
            raise RuntimeError(f"the worker for {queue} ended with {worker.exitcode}")

    def _beat(self) -> None:
        scheduler = Scheduler(app=self.app, max_interval=1)
        try:
            while not self._stopping.wait(max(scheduler.tick() or 0.0, 0.002)):
                pass
        finally:
            scheduler.close()
