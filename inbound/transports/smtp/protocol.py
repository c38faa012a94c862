"""aiosmtpd's SMTP and LMTP with a DATA phase of our own.

The stock one reads line by line, answers 500 for ever to a line over 1,001 bytes (real mail has
them), and answers any surprise with a permanent 500 and the exception's text. This one reads in
large chunks, takes lines of any length, ends a message at CRLF.CRLF and at nothing else (RFC 5321
4.1.1.4; a bare LF is content, so no second message can be smuggled in), and answers surprises 451.
"""

import asyncio
import logging
import ssl
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, syntax

from inbound.transports.smtp.flight import Flight, Taken

log = logging.getLogger(__name__)

END = b"\r\n.\r\n"
CHUNK = 1 << 18
TEMPORARY_FAULT = "451 4.3.0 Temporary fault here, please try again later"


class TooMuch(Exception):
    """The message is over the limit; its end has been read and thrown away."""


class Busy(Exception):
    """We hold as many unstored bytes as we may; the message has been read and thrown away."""


class Protocol(SMTP):
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

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.event_handler.connected(self)

    def connection_lost(self, error: Exception | None) -> None:
        self.event_handler.disconnected(self)
        super().connection_lost(error)

    def refuse(self, words: str) -> None:
        """Says so and hangs up at once, whether or not the client reads it."""
        transport = self.transport
        if not isinstance(transport, asyncio.Transport):
            return
        transport.write(words.encode() + b"\r\n")
        transport.close()
        if transport.get_write_buffer_size():
            transport.abort()  # close() alone would wait until it is read

    def _timeout_cb(self) -> None:
        """Nothing came for too long. aiosmtpd's own close() waits for ever for a client that reads
        nothing, and a TLS handshake that hangs never ends: neither would be counted off."""
        if self._handler_coroutine is not None:
            self._handler_coroutine.cancel()
        for transport in (self.transport, self._original_transport):
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()
        self.event_handler.disconnected(self)

    async def handle_exception(self, error: Exception) -> str:
        """Our fault, so a temporary answer; and nothing of ours in its text."""
        log.error("SMTP session with %r", self.session and self.session.peer, exc_info=error)
        return TEMPORARY_FAULT

    @syntax("DATA")
    async def smtp_DATA(self, arg: str) -> None:
        if await self.check_helo_needed():
            return
        assert self.envelope is not None
        if not self.envelope.rcpt_tos:
            await self.push("503 5.5.1 Error: need RCPT command")
            return
        if arg:
            await self.push("501 5.5.4 Syntax: DATA")
            return
        answers = self.answers_to_data()
        if self.flight.held >= self.flight.limit:
            await self.push("451 4.3.2 Too busy, please try again later")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        taken = Taken(self.flight)
        try:
            try:
                content = await self._read_message(taken)
            except TooMuch:
                status = f"552 5.3.4 Message is larger than {self.max_bytes} bytes"
            except Busy:
                status = "451 4.3.2 Too busy, please try again later"
            else:
                self.envelope.content = self.envelope.original_content = content
                try:
                    status = await self.event_handler.handle_DATA(self, self.session, self.envelope)
                except Exception as error:
                    status = await self.handle_exception(error)
        finally:
            taken.release()
            self._set_post_data_state()
        await self.push("\r\n".join([status] * answers))

    def answers_to_data(self) -> int:
        """How many answers a message gets, whatever the answer is."""
        return 1

    async def _read_message(self, taken: Taken) -> bytes:
        """Everything up to CRLF.CRLF, dots undone; what was pipelined after it stays to be read."""
        data = bytearray(b"\r\n")  # so that a message whose first line is the dot ends there too
        refused: type[Exception] | None = None
        while True:
            chunk = await self._reader.read(CHUNK)
            if not chunk:
                raise ConnectionResetError("closed in the middle of a message")
            self._reset_timeout()
            start = max(0, len(data) - len(END) + 1)
            data += chunk
            end = data.find(END, start)
            if end >= 0:
                # StreamReader has no way to put bytes back but its buffer.
                self._reader._buffer[:0] = data[end + len(END) :]  # type: ignore[attr-defined]
                del data[end + 2 :]
                break
            if refused is None:
                if len(data) - 2 > self.max_bytes:
                    refused = TooMuch
                elif not taken.take(len(chunk)):
                    refused = Busy
            if refused is not None:
                del data[
                    : -len(END)
                ]  # to the end without keeping it: the answer can only come there
        if refused is None and len(data) - 2 > self.max_bytes:
            refused = TooMuch
        if refused is not None:
            raise refused
        if b"\r\n." in data:
            data = data.replace(b"\r\n.", b"\r\n")  # RFC 5321 4.5.2
        return bytes(memoryview(data)[2:])

    def _create_envelope(self) -> Envelope:
        return Envelope()


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
        await self.push("500 5.5.1 This is LMTP: say LHLO")

    async def smtp_EHLO(self, hostname: str) -> None:
        await self.push("500 5.5.1 This is LMTP: say LHLO")
