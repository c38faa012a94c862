"""Everything in one process: the web server, the mail listener, six workers and the beat.

Each part is a thread; the web server has the main one. A part that dies ends the process with an
error, and so does a worker that does not come back from a row: whoever supervises it starts it
again. The rows in the database are the queue, and nothing is lost.
"""

import faulthandler
import logging
import signal
import threading
import time
from collections.abc import Callable

import uvicorn
from celery import Celery
from django.conf import settings

from helpdesk.processes.workers import QUEUES, Workers
from inbound import readers
from inbound.transports.imap.watchers import Watchers
from inbound.transports.smtp.listener import Listener
from tasks import watchdog

log = logging.getLogger(__name__)

# A pattern that never ends keeps the interpreter's lock, and no other thread runs. A thread that
# needs none then says where each is, and ends the process. Who stops it with Ctrl-Z for longer
# finds it ended as well.
FROZEN_SECONDS = 120.0
END_SECONDS = 45.0  # for the stopping itself, where something hangs


def run(app: Celery, *, announce: Callable[[], None]) -> int:
    """Runs until it is told to stop (0) or a part dies (1). `announce` is called when everything is
    up."""
    settings.CAN_RING = True
    workers, imap, web = Workers(app, QUEUES), Watchers(), _web()
    listener = Listener(settings.SMTP_ADDR, settings.LMTP_ADDR)
    watch = Watch(web, announce, {"a worker or the beat": workers.is_alive})
    workers.start()
    readers.warm()
    stop: list[Callable[[], None]] = []
    try:
        if settings.SMTP_ADDR or settings.LMTP_ADDR:
            listener.start()
            stop.append(listener.stop)
            watch.parts["the mail listener"] = listener.is_alive
        imap.start()
        stop.append(imap.stop)
        watch.parts["the IMAP watchers"] = imap.is_alive
        watch.start()
        try:
            web.run()  # installs the handlers of SIGINT and SIGTERM
        except KeyboardInterrupt:
            pass  # uvicorn raises the signal again once it has shut down
        if not web.started:
            watch.died = watch.died or "the web server died"
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second Ctrl-C ends it at once
        for end in stop:
            end()
        stuck = workers.stop(leave=watch.hanging)
        faulthandler.cancel_dump_traceback_later()
    for what in filter(None, (watch.died, stuck and f"still running: {', '.join(stuck)}")):
        log.error("%s", what)
    return 1 if watch.died or stuck else 0


class Watch:
    """Looks twice a second whether each part is alive, and ends the web server, and the process
    with it, once one is not. `died` says which; `hanging` are the threads that come back no
    more."""

    def __init__(
        self,
        web: uvicorn.Server,
        announce: Callable[[], None],
        parts: dict[str, Callable[[], bool]],
    ) -> None:
        self.parts = parts
        self.died = ""
        self.hanging: set[threading.Thread] = set()
        self._web = web
        self._announce = announce

    def start(self) -> None:
        threading.Thread(target=self._main, name="watch", daemon=True).start()

    def _main(self) -> None:
        while not self._web.started and not self._web.should_exit:
            time.sleep(0.02)
        if self._web.started:
            self._announce()
        while not self._web.should_exit:
            _end_unless_called_again(FROZEN_SECONDS)
            self._look()
            time.sleep(0.5)

    def _look(self) -> None:
        if dead := next((name for name, alive in self.parts.items() if not alive()), ""):
            self._end(f"{dead} died")
        elif held := watchdog.overdue(watchdog.MARGIN):
            self.hanging = {one.thread for one in held}
            self._end(f"a worker does not come back from {', '.join(map(str, held))}")
            _end_unless_called_again(END_SECONDS)

    def _end(self, why: str) -> None:
        self.died, self._web.should_exit = why, True


def _end_unless_called_again(seconds: float) -> None:
    # To standard error, whatever sys.stderr is by then.
    faulthandler.dump_traceback_later(seconds, exit=True, file=2)


def _web() -> uvicorn.Server:
    host, port = settings.HTTP_ADDR or ("127.0.0.1", 8000)
    return uvicorn.Server(
        uvicorn.Config(
            "helpdesk.asgi:application",
            host=host,
            port=port,
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            timeout_graceful_shutdown=5,
            server_header=False,
        )
    )
