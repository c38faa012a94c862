"""SMTP and LMTP as we speak them: aiosmtpd's, but for what mail in the world needs otherwise.

aiosmtpd answers 500 for ever to a line over 1,001 bytes, and any surprise with a permanent 500 and
the exception's text. Here lines have any length, and surprises are answered 451.
"""

import asyncio
import ssl
from typing import Any

from aiosmtpd.smtp import TLSSetupException, syntax

from inbound.transports.smtp.connection import Connection
from inbound.transports.smtp.flight import Flight, Taken
from inbound.transports.smtp.message import Busy, Message, TooMuch

TOO_BUSY = "451 4.3.2 Too busy, please try again later"


class Protocol(Connection):
    """One SMTP connection."""

    def __init__(
        self,
        handler: Any,
        *,
        flight: Flight,
        max_bytes: int,
        idle_seconds: float,
        hostname: str,
        tls: ssl.SSLContext | None,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(
            handler,
            data_size_limit=max_bytes,
            enable_SMTPUTF8=True,
            decode_data=False,
            hostname=hostname,
            ident="ESMTP",
            tls_context=tls,
            timeout=idle_seconds,
            loop=loop,
            auth_exclude_mechanism=["LOGIN", "PLAIN"],
        )
        self.max_bytes = max_bytes
        self.flight = flight

    def _begin(self) -> None:
        super()._begin()
        self._taken: Taken | None = None  # by the message that comes in

    def connection_lost(self, error: Exception | None) -> None:
        self._release()
        super().connection_lost(error)

    def _release(self) -> None:
        if self._taken is not None:
            self._taken.release()
            self._taken = None

    def refuse(self, words: str) -> None:
        """Says so and hangs up at once, whether or not the client reads it."""
        self.say(words)
        self.wire.close()
        if self.wire.get_write_buffer_size():
            self.wire.abort()  # close() alone would wait until it is read

    @syntax("DATA")
    async def smtp_DATA(self, arg: str) -> None:
        if await self.check_helo_needed():
            return
        assert self.envelope is not None
        if not self.envelope.rcpt_tos:
            self.say("503 5.5.1 Error: need RCPT command")
        elif arg:
            self.say("501 5.5.4 Syntax: DATA")
        elif self.flight.held >= self.flight.limit:
            self.say(TOO_BUSY)
        else:
            self.say("354 End data with <CR><LF>.<CR><LF>")
            self._taken = Taken(self.flight)
            self.message = Message(self._taken, self.max_bytes)

    async def take_in(self, message: Message) -> None:
        answers = self.answers_to_data()
        try:
            status = await self._stored(message)
        finally:
            self._release()
            self._set_post_data_state()
        self.say("\r\n".join([status] * answers))

    async def _stored(self, message: Message) -> str:
        """The answer to it."""
        assert self.envelope is not None
        try:
            self.envelope.content = self.envelope.original_content = message.content()
            return str(await self.event_handler.handle_DATA(self, self.session, self.envelope))
        except TooMuch:
            return f"552 5.3.4 Message is larger than {self.max_bytes} bytes"
        except Busy:
            return TOO_BUSY
        except Exception as error:
            return self.surprised(error)

    def answers_to_data(self) -> int:
        """How many answers a message gets, whatever the answer is."""
        return 1

    @syntax("QUIT")
    async def smtp_QUIT(self, arg: str) -> None:
        if arg:
            self.say("501 Syntax: QUIT")
        else:
            self.say("221 Bye")
            self.wire.close()

    @syntax("STARTTLS", when="tls_context")
    async def smtp_STARTTLS(self, arg: str) -> None:
        if self._tls_protocol is not None:
            self.say("503 5.5.1 TLS is on already")
            return
        await super().smtp_STARTTLS(arg)
        if self._tls_protocol is not None and self.session is not None and not self.session.ssl:
            raise TLSSetupException  # the client went away in the middle of the handshake


class LmtpProtocol(Protocol):
    """One LMTP connection (RFC 2033): LHLO, and an answer for each recipient after DATA."""

    def answers_to_data(self) -> int:
        """RFC 2033 4.2: one for each accepted recipient. A client that pipelines QUIT would take
        our "221 Bye" for an answer that is missing, and the mail for delivered."""
        return len(self.envelope.rcpt_tos) if self.envelope else 1

    @syntax("LHLO hostname")
    async def smtp_LHLO(self, arg: str) -> None:
        await super().smtp_EHLO(arg)

    async def smtp_HELO(self, hostname: str) -> None:
        self.say("500 5.5.1 This is LMTP: say LHLO")

    async def smtp_EHLO(self, hostname: str) -> None:
        self.say("500 5.5.1 This is LMTP: say LHLO")
