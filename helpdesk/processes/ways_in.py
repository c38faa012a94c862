"""The process that strangers reach: the web server, the mail listener and the IMAP watchers."""

import signal
import socket
from collections.abc import Callable

import uvicorn
from django.conf import settings

from helpdesk.asgi import application
from helpdesk.processes.alive import Watch
from inbound.transports.imap.watchers import Watchers
from inbound.transports.smtp.listener import Listener


def run(ready: Callable[[], None]) -> int:
    """Until SIGTERM (0), or until a part dies (1). `ready` is called when the ports are open."""
    web = _Web(ready)
    # Until uvicorn has its own handler, and when it raises the signal once more at its end.
    signal.signal(signal.SIGTERM, lambda *_: web.end())
    listener, imap = Listener(settings.SMTP_ADDR, settings.LMTP_ADDR), Watchers()
    parts, stop = {"the IMAP watchers": imap.is_alive}, [imap.stop]
    if settings.SMTP_ADDR or settings.LMTP_ADDR:
        listener.start()
        parts["the mail listener"] = listener.is_alive
        stop = [listener.stop, *stop]
    imap.start()
    watch = Watch(parts, web.end)
    watch.start()
    try:
        web.run()
    finally:
        watch.stop()
        for end in stop:
            end()
    return int(bool(watch.died) or not web.started)


def import_all() -> None:
    """What the web server imports when it begins to work."""
    config = _config()
    config.load()
    config.get_loop_factory()


class _Web(uvicorn.Server):
    def __init__(self, ready: Callable[[], None]) -> None:
        super().__init__(_config())
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    def end(self) -> None:
        self.should_exit = True


def _config() -> uvicorn.Config:
    host, port = settings.HTTP_ADDR or ("127.0.0.1", 8000)
    return uvicorn.Config(
        application,
        host=host,
        port=port,
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
        server_header=False,
    )
