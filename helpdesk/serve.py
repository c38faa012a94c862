"""Everything in one process: the web server, the mail listener, six workers and the beat.

Each part is a thread; the web server has the main one. A part that dies ends the process with an error, and so does
a worker that does not come back from a row: whoever supervises it starts it again. The rows in the database are the
queue, and nothing is lost.
"""

import faulthandler
import logging
import signal
import threading
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, cast

import uvicorn
from celery import Celery
from celery.beat import Scheduler
from celery.worker import WorkController, state
from celery.worker.consumer import Consumer
from django.conf import settings
from django.db import connections

from helpdesk.broker import Transport
from inbound import readers
from inbound.transports.imap.watchers import Watchers
from inbound.transports.smtp.listener import Listener
from tasks import watchdog

log = logging.getLogger(__name__)

QUEUES = ("inbound", "large", "slow", "outbound", "codes", "default")
START_SECONDS = 20.0
STOP_SECONDS = 20.0
# A pattern that never ends keeps the interpreter's lock, and no other thread runs. A thread that needs none then says
# where each is, and ends the process. Who stops it with Ctrl-Z for longer finds it ended as well.
FROZEN_SECONDS = 120.0
END_SECONDS = 45.0  # for the stopping itself, where something hangs


def run(app: Celery, *, announce: Callable[[], None]) -> int:
    """Runs until it is told to stop (0) or a part dies (1). `announce` is called when everything is up."""
    settings.CAN_RING = True
    workers, listener, web = Workers(app, QUEUES), Listener(settings.SMTP_ADDR, settings.LMTP_ADDR), _web()
    imap = Watchers()
    parts: dict[str, Callable[[], bool]] = {"a worker or the beat": workers.is_alive}
    died, hanging = "", set[threading.Thread]()
    workers.start()
    readers.warm()
    try:
        if settings.SMTP_ADDR or settings.LMTP_ADDR:
            listener.start()
            parts["the mail listener"] = listener.is_alive

        imap.start()
        parts["the IMAP watchers"] = imap.is_alive

        def watch() -> None:
            nonlocal died, hanging
            while not web.started and not web.should_exit:
                time.sleep(0.02)
            if web.started:
                announce()
            while not web.should_exit:
                _end_unless_called_again(FROZEN_SECONDS)
                if dead := next((name for name, alive in parts.items() if not alive()), ""):
                    died, web.should_exit = f"{dead} died", True
                elif held := watchdog.overdue(watchdog.MARGIN):
                    hanging = {one.thread for one in held}
                    died, web.should_exit = f"a worker does not come back from {', '.join(map(str, held))}", True
                    _end_unless_called_again(END_SECONDS)
                time.sleep(0.5)

        threading.Thread(target=watch, name="watch", daemon=True).start()
        try:
            web.run()  # installs the handlers of SIGINT and SIGTERM
        except KeyboardInterrupt:
            pass  # uvicorn raises the signal again once it has shut down
        if not web.started:
            died = died or "the web server died"
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second Ctrl-C ends it at once
        if "the mail listener" in parts:
            listener.stop()
        if "the IMAP watchers" in parts:
            imap.stop()
        stuck = workers.stop(leave=hanging)
        faulthandler.cancel_dump_traceback_later()
    for what in filter(None, (died, stuck and f"still running: {', '.join(stuck)}")):
        log.error("%s", what)
    return 1 if died or stuck else 0


def _end_unless_called_again(seconds: float) -> None:
    faulthandler.dump_traceback_later(seconds, exit=True, file=2)  # standard error, whatever sys.stderr is by then


def _web() -> uvicorn.Server:
    host, port = settings.HTTP_ADDR or ("127.0.0.1", 8000)
    return uvicorn.Server(
        uvicorn.Config(
            "helpdesk.asgi:application", host=host, port=port, lifespan="off", log_config=None, access_log=False,
            proxy_headers=False, timeout_graceful_shutdown=5, server_header=False,
        )
    )  # fmt: skip


class _Consumer(Consumer):
    """Never reconnects: there is nothing to reconnect to, and a restarted consumer would take the queues
    of the worker built last. An error ends the worker, and with it the process."""

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
    """A solo worker in a thread for each queue, and the beat in one of its own."""

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
        """Lets each worker finish the task it is at; the names of those that still run after a while. It does not
        wait for those of `leave`."""
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
            app=self.app, hostname=f"{queue}@serve", queues=[queue], pool="solo", concurrency=1,
            consumer_cls=_Consumer, ready_callback=lambda consumer: ready.set(), without_gossip=True,
            without_mingle=True, without_heartbeat=True, quiet=True,
        )  # fmt: skip
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
