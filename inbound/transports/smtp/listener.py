"""Starts and stops the listeners: an event loop in a thread of its own, and the writer behind
it."""

import asyncio
import logging
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from django.conf import settings

from inbound.transports.smtp.flight import Flight
from inbound.transports.smtp.handler import Handler
from inbound.transports.smtp.protocol import LmtpProtocol, Protocol
from inbound.transports.smtp.writer import Writer

new_event_loop: Callable[[], asyncio.AbstractEventLoop]
try:
    from uvloop import new_event_loop
except ImportError:  # it is not made for Windows
    new_event_loop = asyncio.new_event_loop

log = logging.getLogger(__name__)

GOODBYE_SECONDS = 10.0


@dataclass
class Listener:
    """SMTP and LMTP on the given addresses. `start` returns once the ports are open, or raises
    OSError."""

    smtp: tuple[str, int] | None
    lmtp: tuple[str, int] | None
    writer: Writer = field(default_factory=Writer)
    ports: dict[str, int] = field(
        default_factory=dict
    )  # where it really listens, when 0 was asked for
    handlers: list[Handler] = field(default_factory=list)

    def start(self) -> None:
        self._ready = threading.Event()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="mail-listener", daemon=True)
        self.writer.start()
        self._thread.start()
        self._ready.wait()
        if self._failed is not None:
            raise self._failed

    def stop(self) -> None:
        """Takes no new connections, lets messages that are under way finish, then ends."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join(GOODBYE_SECONDS + 5)
        self.writer.stop()

    def is_alive(self) -> bool:
        return self._thread.is_alive() and self.writer.is_alive()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                runner.run(self._serve())
        except BaseException as error:  # handed to whoever started us
            self._failed = error
            if self._ready.is_set():
                log.exception("the mail listener stopped")
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        flight, tls = Flight(settings.SMTP_BYTES_IN_FLIGHT), _tls()
        servers: list[asyncio.Server] = []
        for name, address, protocol in (
            ("smtp", self.smtp, Protocol),
            ("lmtp", self.lmtp, LmtpProtocol),
        ):
            if address is None:
                continue
            handler = Handler(
                self.writer,
                transport=name,
                max_connections=settings.SMTP_MAX_CONNECTIONS,
                max_per_client=settings.SMTP_MAX_CONNECTIONS_PER_CLIENT,
            )
            self.handlers.append(handler)

            first = protocol(
                handler,
                flight=flight,
                max_bytes=settings.MAX_MAIL_BYTES,
                loop=self._loop,
                tls=tls,
                idle_seconds=settings.SMTP_IDLE_SECONDS,
                hostname=settings.SMTP_HOSTNAME,
            )
            server = await self._loop.create_server(first.another, *address, backlog=512)
            servers.append(server)
            self.ports[name] = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._end.wait()
        for server in servers:
            server.close()
        await _goodbye(self.handlers)


async def _goodbye(handlers: list[Handler]) -> None:
    """Idle connections are closed, those in the middle of a message get a moment to finish it."""
    deadline = asyncio.get_running_loop().time() + GOODBYE_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        busy = False
        for connection in [c for handler in handlers for c in handler._connections]:
            if connection.envelope is not None and connection.envelope.rcpt_tos:
                busy = True
            elif connection.transport is not None:
                connection.say("421 4.3.2 Shutting down")
                connection.wire.close()
        if not busy:
            break
        await asyncio.sleep(0.05)
    await asyncio.sleep(0)


def _tls() -> ssl.SSLContext | None:
    if not settings.SMTP_TLS_CERT:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.SMTP_TLS_CERT, settings.SMTP_TLS_KEY)
    return context
